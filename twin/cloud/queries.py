"""Queries of large partitions: the emulator reads a key condition anew for every item that it might answer.

A till's day is thousands of items in one partition, and each page of a query looks at all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ministack.services import dynamodb

KEY_CONDITION = "KeyConditionExpression"
LONE_EQUALITY = re.compile(r"\s*(#?\w+)\s*=\s*(:\w+)\s*")


def install() -> None:
    """Compare the partition key alone without parsing, where that is the whole condition and it holds."""
    evaluate = dynamodb._evaluate_condition

    def evaluate_quickly(
        expression: str,
        item: Mapping[str, Any],
        values: Mapping[str, Any],
        names: Mapping[str, str],
        slot: str = "ConditionExpression",
    ) -> Any:
        if slot == KEY_CONDITION and (equality := _lone_equality(expression)) is not None:
            name, value = equality
            held = item.get(names.get(name, name))
            if held is not None and held == values.get(value):
                return True
        return evaluate(expression, item, values, names, slot=slot)

    dynamodb._evaluate_condition = evaluate_quickly


@lru_cache
def _lone_equality(expression: str) -> tuple[str, str] | None:
    """Name and value of `name = :value`; None for any other condition, or one that AWS would refuse."""
    found = LONE_EQUALITY.fullmatch(expression)
    if found is None or dynamodb._check_reserved_keyword_usage(dynamodb._tokenize(expression)):
        return None
    return found.group(1), found.group(2)
