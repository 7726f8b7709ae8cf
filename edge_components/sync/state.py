"""sync.db: how far each sink has got in each epoch, and segments fixed before they are put.

Losing it costs nothing but work: keys are content-addressed, and segments that lie in the bucket are adopted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

log = logging.getLogger("sync")

DAMAGE = (apsw.NotADBError, apsw.CorruptError)

SCHEMA = """
CREATE TABLE IF NOT EXISTS watermark(
    sink TEXT, epoch TEXT, seq INTEGER NOT NULL, PRIMARY KEY(sink, epoch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segment(
    key TEXT PRIMARY KEY, epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    body BLOB NOT NULL);
"""


@dataclass(frozen=True)
class FixedSegment:
    """A segment whose bounds and bytes no longer change."""

    key: str
    epoch: str
    first: int
    last: int
    body: bytes


class State:
    """Used by every worker; each call is one transaction that is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        self.damaged = False  # found so while in use: from then on nothing in it can be relied on
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _open(path)
        except DAMAGE as error:
            self.set_aside(str(error))
            self._connection = _open(path)

    def set_aside(self, why: str) -> None:
        """Take the file out of the way, so that the next start begins a new one."""
        aside = self._path.with_name(f"{self._path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        self._path.rename(aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        log.critical("ALARM %s is damaged (%s): kept as %s, beginning a new one", self._path, why, aside.name)

    def watermark(self, sink: str, epoch: str) -> int | None:
        """The last contiguous seq that `sink` acknowledged; None for an epoch it hasn't begun."""
        with self._using() as connection:
            row = connection.execute(
                "SELECT seq FROM watermark WHERE sink = ? AND epoch = ?", (sink, epoch)
            ).fetchone()
        return int(row[0]) if row else None

    def advance(self, sink: str, epoch: str, seq: int) -> None:
        """Move a watermark forward; never back."""
        with self._using() as connection, connection:
            self._advance(sink, epoch, seq)

    def adopt(self, sink: str, epoch: str, seq: int) -> None:
        """It has the epoch up to `seq`; a segment that was fixed with some of that is to be fixed anew."""
        with self._using() as connection, connection:
            self._advance(sink, epoch, seq)
            connection.execute("DELETE FROM segment WHERE epoch = ? AND first <= ?", (epoch, seq))

    def fix(self, segment: FixedSegment) -> None:
        """Write down a segment before it is put, so that a repeat puts the same bytes under the same key."""
        values = (segment.key, segment.epoch, segment.first, segment.last, segment.body)
        with self._using() as connection, connection:
            connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?)", values)

    def fixed(self) -> FixedSegment | None:
        """The segment that is fixed and not acknowledged, if there is one."""
        with self._using() as connection:
            row = connection.execute(
                "SELECT key, epoch, first, last, body FROM segment ORDER BY epoch, first LIMIT 1"
            ).fetchone()
        return FixedSegment(*row) if row else None

    def delivered(self, sink: str, segment: FixedSegment) -> None:
        """The bucket has the segment: move on and forget its bytes, in one transaction."""
        with self._using() as connection, connection:
            self._advance(sink, segment.epoch, segment.last)
            connection.execute("DELETE FROM segment WHERE key = ?", (segment.key,))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _using(self) -> Iterator[apsw.Connection]:
        with self._lock:
            try:
                yield self._connection
            except DAMAGE:
                self.damaged = True
                raise

    def _advance(self, sink: str, epoch: str, seq: int) -> None:
        self._connection.execute(
            "INSERT INTO watermark VALUES (?, ?, ?)"
            " ON CONFLICT(sink, epoch) DO UPDATE SET seq = max(seq, excluded.seq)",
            (sink, epoch, seq),
        )


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    connection.execute(SCHEMA).fetchall()
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone() or ("nothing",)
    if found != "ok":
        connection.close()
        raise apsw.CorruptError(f"quick_check: {found}")
    return connection
