"""Recipe variables such as {artifacts:path} in lifecycle scripts and Setenv."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
) -> str:
    """`text` with the variables that are known; unknown ones stay as they are, as classic leaves them."""
    known = {
        "artifacts:path": str(folders.artifacts(name, version)),
        "artifacts:decompressedPath": str(folders.unarchived(name, version)),
        "work:path": str(folders.work(name)),
        "kernel:rootPath": str(folders.root),
        "iot:thingName": thing,
    }

    def value(match: re.Match[str]) -> str:
        space, key = match.groups()
        if space != "configuration":
            return known.get(f"{space}:{key}", match.group(0))
        try:
            found = lookup(configuration, parse_pointer(key))
        except KeyError:
            return match.group(0)
        return found if isinstance(found, str) else json.dumps(found)

    return _VARIABLE.sub(value, text)
