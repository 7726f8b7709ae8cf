"""Semantic versions and the version ranges that recipes and cores ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
COMPARATOR = re.compile(
    r"(>=|<=|>|<|=|~|\^)?\s*v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(-[0-9A-Za-z.-]+)?"
)
Key = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


class VersionError(ValueError):
    """Not a semantic version, or not a range of them."""


def key(version: str) -> Key:
    """A value that sorts versions as semver does; a pre-release comes before its release."""
    found = VERSION.fullmatch(version)
    if not found:
        raise VersionError(f"{version!r} is not a semantic version.")
    parts = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (found[4] or "").split(".") if part
    )
    return int(found[1]), int(found[2]), int(found[3]), 0 if parts else 1, parts


def satisfies(version: str, requirement: str) -> bool:
    """Whether the version lies in the range: comparators joined by spaces, alternatives by ||."""
    candidate = key(version)
    return any(
        all(bound.holds(candidate) for bound in _bounds(alternative))
        for alternative in requirement.split("||")
    )


@dataclass(frozen=True)
class _Bound:
    operator: str
    limit: Key

    def holds(self, candidate: Key) -> bool:
        return {
            ">=": candidate >= self.limit,
            ">": candidate > self.limit,
            "<": candidate < self.limit,
            "<=": candidate <= self.limit,
        }[self.operator]


def _bounds(alternative: str) -> list[_Bound]:
    text = alternative.strip()
    if text in {"", "*", "x", "X"}:
        return []
    bounds: list[_Bound] = []
    position = 0
    while position < len(text):
        found = COMPARATOR.match(text, position)
        if not found:
            raise VersionError(f"{alternative!r} is not a version range.")
        bounds += _comparator(found)
        position = found.end()
        while position < len(text) and text[position] in ", ":
            position += 1
    return bounds


def _comparator(found: re.Match[str]) -> list[_Bound]:
    operator, pre = found[1] or "=", found[5] or ""
    given = [int(part) for part in (found[2], found[3], found[4]) if part is not None and part.isdigit()]
    low = key(".".join(str(part) for part in [*given, 0, 0][:3]) + pre)
    if operator in {">=", "<"} or (len(given) == 3 and operator in {">", "<="}):
        return [_Bound(operator, low)]
    exact = operator == "=" and len(given) == 3
    if exact:
        return [_Bound(">=", low), _Bound("<=", low)]
    high = _Bound("<", _next(operator, given))
    if operator == ">":
        return [_Bound(">=", high.limit)]
    return [high] if operator == "<=" else [_Bound(">=", low), high]


def _next(operator: str, given: list[int]) -> Key:
    """The first version past what a caret, tilde or partial version covers."""
    if operator == "^":
        index = next((i for i, part in enumerate(given) if part), len(given) - 1)
    else:
        index = min(len(given) - 1, 1)
    raised = [*given[:index], given[index] + 1]
    return key(".".join(str(part) for part in [*raised, 0, 0][:3]) + "-0")
