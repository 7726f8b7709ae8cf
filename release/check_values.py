"""What the checks share: patterns, and findings that say where and what is allowed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

NUMBER = r"(0|[1-9]\d*)"
LABEL = r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
BUILD = r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
VERSION = rf"{NUMBER}\.{NUMBER}\.{NUMBER}{LABEL}"

COMPONENT_NAME = (re.compile(r"[a-zA-Z0-9-_.]+"), "letters, digits, -, _ and .")
SEMVER = (re.compile(VERSION + BUILD), "a semantic version such as 1.0.0")
VERSION_RANGE = (
    re.compile(rf"(=|==)?{VERSION}|(>=|>){VERSION}( (<=|<){VERSION})?|(<=|<){VERSION}"),
    "a range such as >=1.0.0 <2.0.0",
)
URI = (
    re.compile(r"s3://[a-z0-9.-]{3,63}/components/[A-Za-z0-9]+/[0-9a-f]{64}/[A-Za-z0-9._-]+"),
    "s3://<bucket>/components/<Component>/<digest hex>/<file>",
)

Rule = tuple[re.Pattern[str], str]


def matching(where: str, value: Any, rule: Rule, most: int = 1024) -> list[str]:
    pattern, allowed = rule
    if not isinstance(value, str) or not pattern.fullmatch(value):
        return [f"{where}: {value!r}; allowed: {allowed}."]
    return [] if len(value) <= most else [f"{where}: {len(value)} characters; allowed: at most {most}."]


def choice(where: str, value: Any, allowed: Iterable[str | None]) -> list[str]:
    """None among `allowed` means that the key may be left out."""
    options = list(allowed)
    if value in options and not isinstance(value, bool):
        return []
    named = ", ".join(str(option) if option else "leaving it out" for option in options)
    return [f"{where}: {value!r}; allowed: {named}."]


def text(where: str, value: Any) -> list[str]:
    return [] if isinstance(value, str) and value.strip() else [f"{where}: {value!r}; allowed: a sentence."]


def unknown_keys(where: str, table: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """Lite takes keys by their exact case and ignores what it doesn't know."""
    names = sorted(known)
    by_folded = {name.casefold(): name for name in names}
    findings = []
    for key in table:
        if key in names:
            continue
        meant = by_folded.get(str(key).casefold())
        allowed = f"it is spelt {meant}" if meant else f"allowed: {', '.join(names)}"
        findings.append(f"{where}: key {key!r} isn't known; {allowed}.")
    return findings


def scalar_pointers(document: Any, prefix: str = "") -> frozenset[str]:
    """JSON pointers of every scalar in `document`."""
    if isinstance(document, dict):
        return frozenset(
            pointer
            for key, value in document.items()
            for pointer in scalar_pointers(value, f"{prefix}/{key}")
        )
    return frozenset() if isinstance(document, list) or document is None else frozenset({prefix})
