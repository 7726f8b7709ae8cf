"""The store that this till belongs to, as sync wrote it down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo


class AssignmentError(Exception):
    """assignment.json cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True)
class Assignment:
    """Where a till stands and how its store counts money and days."""

    thing: str
    store: str
    store_name: str
    terminals: tuple[str, ...]
    currency: str
    currency_exponent: int
    time_zone: ZoneInfo
    day_starts: time
    prices_include_tax: bool
    locale: str


class AssignmentFile:
    """Notices when assignment.json appears or changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> Assignment | None:
        """The assignment if the file is new since the last call; AssignmentError once per bad version."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AssignmentError(f"{self._path} cannot be read: {error.strerror}") from error
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if version == self._seen:
            return None
        self._seen = version
        return read(self._path)


def read(path: Path) -> Assignment:
    """Read assignment.json; raises AssignmentError when it is not one."""
    try:
        return _from(json.loads(path.read_text(encoding="utf-8")))
    except KeyError as error:
        raise AssignmentError(f"{path} lacks {error.args[0]!r}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AssignmentError(f"{path} is not an assignment: {error}") from error


def _from(found: dict[str, Any]) -> Assignment:
    if found["version"] != 1:
        raise ValueError(f"version {found['version']} is not known")
    return Assignment(
        thing=_text(found, "thing"),
        store=_text(found, "store"),
        store_name=str(found.get("store_name") or found["store"]),
        terminals=tuple(str(name) for name in found["terminals"]),
        currency=_text(found, "currency"),
        currency_exponent=int(found["currency_exponent"]),
        time_zone=_zone(_text(found, "time_zone")),
        day_starts=time.fromisoformat(found["day_starts"]),
        prices_include_tax=bool(found["prices_include_tax"]),
        locale=str(found.get("locale") or "en-US"),
    )


def _text(found: dict[str, Any], key: str) -> str:
    value = found[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be a text")
    return value


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"the time zone {name} is not known") from error
