"""A note beside a ledger that is being made: whatever a power cut leaves of that file held no sale.

A file's content can't tell: one that was cut off while it was made looks like one whose sales were lost.
The note is on disk before the file is begun, and gone for good before the first sale is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_components.edgekit import record
from edge_components.edgekit.files import sync_directory, write_json

from .epochs import is_place

REASONS = ("new_ledger", "ledger_missing", "ledger_damaged", "thing_changed")
_PARTS = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Birth:
    """Why a ledger is begun, and the last head known before it; its opening record says both."""

    reason: str
    previous: Mapping[str, Any] | None


def begin(path: Path, birth: Birth) -> None:
    """Note that a ledger is being made at `path`."""
    write_json(_note(path), {"reason": birth.reason, "previous": birth.previous})


def unfinished(path: Path) -> Birth | None:
    """What was begun at `path` and did not come to its first sale; an unreadable note proves nothing."""
    try:
        found = record.parse(_note(path).read_text(encoding="utf-8"))
        reason, previous = found["reason"], found["previous"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if reason not in REASONS or not (previous is None or is_place(previous)):
        return None
    return Birth(reason, previous)


def finish(path: Path) -> None:
    """From here on the file may hold sales: forget the note, beyond any power cut."""
    if _note(path).exists():
        _note(path).unlink()
        sync_directory(path.parent)


def discard(path: Path) -> None:
    """Take away what was begun; only for a ledger that is `unfinished`."""
    for suffix in _PARTS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    sync_directory(path.parent)


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.being-made")
