"""Recipe variables such as {artifacts:path} in lifecycle scripts and Setenv."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .configuration import lookup, parse_pointer

_VARIABLE = re.compile(r"\{([a-zA-Z]+):([^{}\s]+)\}")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the nucleus keeps what belongs to components; the layout is classic's."""

    root: Path

    def artifacts(self, name: str, version: str) -> Path:
        return self.root / "packages" / "artifacts" / name / version

    def unarchived(self, name: str, version: str) -> Path:
        return self.root / "packages" / "artifacts-unarchived" / name / version

    def recipe(self, name: str, version: str) -> Path:
        return self.root / "packages" / "recipes" / f"{name}-{version}.json"

    def work(self, name: str) -> Path:
        return self.root / "work" / name

    def packages(self, name: str, version: str) -> tuple[Path, ...]:
        """What a deployment brought of a component version."""
        return self.artifacts(name, version), self.unarchived(name, version)

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"


def substitute(
    text: str,
    folders: Folders,
    *,
    thing: str,
    name: str,
    version: str,
    configuration: Mapping[str, Any],
    lite: bool = False,
) -> str:
    """`text` with the variables that are known.

    Unknown ones stay as they are, as classic leaves them; for nucleus lite every brace begins a variable, and
    the text ends where one is not known, without a word about it.
    """
    known = {
        "artifacts:path": str(folders.artifacts(name, version)),
        "artifacts:decompressedPath": str(folders.unarchived(name, version)),
        "work:path": str(folders.work(name)),
        "kernel:rootPath": str(folders.root),
        "iot:thingName": thing,
    }

    def value(space: str, key: str) -> str | None:
        if space != "configuration":
            return known.get(f"{space}:{key}")
        try:
            found = lookup(configuration, parse_pointer(key))
        except KeyError:
            return None
        return found if isinstance(found, str) else json.dumps(found)

    if lite:
        return _cut(text, value)

    def filled(match: re.Match[str]) -> str:
        found = value(*match.groups())
        return match.group(0) if found is None else found

    return _VARIABLE.sub(filled, text)


def _cut(text: str, value: Callable[[str, str], str | None]) -> str:
    filled, place = "", 0
    while (brace := text.find("{", place)) >= 0:
        filled += text[place:brace]
        match = _VARIABLE.match(text, brace)
        found = value(*match.groups()) if match else None
        if match is None or found is None:
            return filled
        filled, place = filled + found, match.end()
    return filled + text[place:]
