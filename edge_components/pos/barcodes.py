"""Barcodes that a shop's scales print: an article's number with its price or weight inside.

A pattern has a character for each of the 13 digits of an EAN: those that it begins with (20 to 29, or 02,
which GS1 leaves to each shop), I for the article's number, P for the price in minor units or W for the
weight in grams, X for what is passed over, C for the check digit. "21IIIIIPPPPPC" is a common one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

DIGITS = 13
_SHAPE = re.compile(r"(02|2[0-9])[0-9]*X*I{3,7}X*(P{3,6}|W{3,6})X*C")


def usable(patterns: Iterable[str]) -> list[str]:
    """The patterns that can be read."""
    return [pattern for pattern in patterns if _is_pattern(pattern)]


def problems(patterns: Iterable[str]) -> Iterator[str]:
    """A sentence for each that can't."""
    for pattern in patterns:
        if not _is_pattern(pattern):
            yield (
                f"the barcode pattern {pattern[:40]!r} is left out: it takes 13 characters such as"
                " 21IIIIIPPPPPC, which are 20 to 29 or 02, I, P or W, X and C at the end"
            )


def _is_pattern(pattern: str) -> bool:
    return len(pattern) == DIGITS and _SHAPE.fullmatch(pattern) is not None
