"""Queries of large partitions: the emulator sorts and parses its way through all of it for every page.

A till's week is tens of thousands of items in one partition. What a page can come from is the part that
follows the place where the page before ended, so the emulator is shown that part alone.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.services import dynamodb

Answer = tuple[int, dict[str, str], bytes]
Query = Callable[[Mapping[str, Any]], Answer]
PARTS = (1_000, 8_000)  # items shown at first, and where no page could be filled from so few


def install() -> None:
    """Let a query see no more of its partition than it needs; what it answers stays the same."""
    query: Query = dynamodb._query

    def query_a_part(data: Mapping[str, Any]) -> Answer:
        for table, part in _parts(data):
            answer = _with_items(table, part, query, data)
            if "LastEvaluatedKey" in json.loads(answer[2]):
                return answer  # the page ended within the part, so nothing beyond it could have been in it
        return query(data)

    dynamodb._query = query_a_part


def _with_items(table: dict[str, Any], items: Mapping[str, Any], query: Query, data: Any) -> Answer:
    with dynamodb._lock:  # which whatever else looks at a table beside requests takes as well
        whole, table["items"] = table["items"], items
        try:
            return query(data)
        finally:
            table["items"] = whole


def _parts(data: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The table and parts of its partition that follow the cursor, each larger than the one before."""
    table = dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName")))
    condition = data.get("KeyConditionExpression")
    if not table or not condition or data.get("IndexName") or not _sorted_by_text(table):
        return
    values, names = data.get("ExpressionAttributeValues") or {}, data.get("ExpressionAttributeNames") or {}
    key = dynamodb._extract_pk_from_condition(condition, values, names, table["pk_name"])
    partition = table["items"].get(key, {})
    if len(partition) <= PARTS[0]:
        return
    following = _following(sorted(partition), data, table["sk_name"])
    for size in PARTS:
        if len(following) > size:
            yield table, {key: {sort_key: partition[sort_key] for sort_key in following[:size]}}


def _sorted_by_text(table: Mapping[str, Any]) -> bool:
    name = table["sk_name"]
    return bool(name) and dynamodb._get_attr_type(table, name) == "S"


def _following(keys: list[str], data: Mapping[str, Any], name: str) -> list[str]:
    """Sort keys after the cursor, in the order that the query asks for."""
    cursor = ((data.get("ExclusiveStartKey") or {}).get(name) or {}).get("S")
    if data.get("ScanIndexForward", True):
        return keys if cursor is None else keys[bisect_right(keys, cursor) :]
    return (keys if cursor is None else keys[: bisect_left(keys, cursor)])[::-1]
