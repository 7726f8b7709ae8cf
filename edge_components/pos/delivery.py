"""How far sync has got, as it publishes it: what both sinks have, and what the table alone has."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError


@dataclass(frozen=True, order=True, slots=True)
class Cursor:
    """The last record that has arrived, in ledger order."""

    epoch: str
    seq: int


NOTHING = Cursor("", 0)  # before sync's first word nothing is known to have arrived


class CursorFile:
    """Reads a cursor again when sync has written it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._cursor: Cursor | None = None

    def read(self) -> Cursor | None:
        """NOTHING while there is no file; None for one that nobody can read."""
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._version:
                found = json.loads(self._path.read_text(encoding="utf-8"))
                self._cursor = Cursor(str(found["epoch"]), int(found["seq"]))
                self._version = version
        except FileNotFoundError:
            return NOTHING
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return self._cursor


class Waiting:
    """How old the oldest record is that has not arrived, in seconds.

    By the record's own time or by how long this process has seen it wait, whichever is more: after a power
    cut a till without a clock may believe that it is still the time before the record.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._oldest: tuple[Cursor, float] | None = None  # and since when it was seen to wait (monotonic)

    def seconds(self, arrived: Cursor | None, newest: Cursor) -> int | None:
        """0 when everything up to `newest` has arrived; None when nobody can tell."""
        if arrived is None:
            return None
        if arrived >= newest:
            return 0
        try:
            row = next(iter(self._reader.after(arrived.epoch, arrived.seq, limit=1)), None)
        except LedgerUnavailableError:
            return None
        if row is None:
            return 0
        recorded = datetime.fromisoformat(row.recorded_at)
        age = (datetime.now(UTC) - recorded).total_seconds()
        return int(max(age, self._seen(Cursor(row.epoch, row.seq))))

    def _seen(self, oldest: Cursor) -> float:
        now = time.monotonic()
        if self._oldest is None or self._oldest[0] != oldest:
            self._oldest = (oldest, now)
        return now - self._oldest[1]
