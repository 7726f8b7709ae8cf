"""rollups.db: the sums, and how far each epoch is counted, moved in one transaction.

Losing it costs only the time to count the ledger again. It is synced when SQLite checkpoints, not at each
commit: after a power cut it may be a little older, as a whole, and is brought forward again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from edge_components.edgekit import rollups
from edge_components.edgekit.rollups import DAY, HOUR, Rollup

log = logging.getLogger("aggregator")

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE rollups(
    bucket TEXT PRIMARY KEY, version INTEGER NOT NULL, epoch TEXT NOT NULL, payload TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX rollups_by_version ON rollups(epoch, version);
CREATE TABLE cursor(
    epoch TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL,
    floor_hour TEXT NOT NULL, floor_day TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE skipped(
    epoch TEXT, seq INTEGER, reason TEXT NOT NULL, PRIMARY KEY(epoch, seq)
) WITHOUT ROWID;
"""
_LAST = "~"  # sorts after every hour and date
DAMAGE = (apsw.NotADBError, apsw.CorruptError, apsw.FormatError)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far an epoch is counted. Up to its floors, buckets may lack records that retention has dropped:

    they are kept where they are there, and not made anew.
    """

    epoch: str
    seq: int
    hash: str
    floor_hour: str = ""
    floor_day: str = ""


class Database:
    """One open rollups.db; used by one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _open(path)
        except DAMAGE as error:
            log.warning("%s is damaged (%s): counting the ledger again", path, error)
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._connection = _open(path)

    def cursor(self, epoch: str) -> Cursor | None:
        row = self._connection.execute("SELECT * FROM cursor WHERE epoch = ?", (epoch,)).fetchone()
        return Cursor(*row) if row else None

    def rollup(self, bucket: str) -> Rollup | None:
        row = self._connection.execute("SELECT payload FROM rollups WHERE bucket = ?", (bucket,)).fetchone()
        return rollups.read(row[0]) if row else None

    def begin(self, cursor: Cursor) -> None:
        """Count an epoch from `cursor` on: what can be made anew goes."""
        with self._connection:
            for kind, floor in ((HOUR, cursor.floor_hour), (DAY, cursor.floor_day)):
                first, last = f"{cursor.epoch}#{kind}#{floor}", f"{cursor.epoch}#{kind}#{_LAST}"
                self._connection.execute(
                    "DELETE FROM rollups WHERE bucket > ? AND bucket < ?", (first, last)
                ).fetchall()
            self._connection.execute("DELETE FROM skipped WHERE epoch = ?", (cursor.epoch,)).fetchall()
            self._put(cursor)

    def save(self, cursor: Cursor, changed: Mapping[str, Rollup], skipped: Mapping[int, str]) -> None:
        """The sums and how far they reach, both or neither."""
        with self._connection:
            for bucket, one in changed.items():
                self._connection.execute(
                    "INSERT OR REPLACE INTO rollups VALUES(?, ?, ?, ?)",
                    (bucket, one.version, one.epoch, one.payload()),
                ).fetchall()
            for seq, reason in skipped.items():
                self._connection.execute(
                    "INSERT OR REPLACE INTO skipped VALUES(?, ?, ?)", (cursor.epoch, seq, reason)
                ).fetchall()
            self._put(cursor)

    def close(self) -> None:
        self._connection.close()

    def _put(self, cursor: Cursor) -> None:
        values = (cursor.epoch, cursor.seq, cursor.hash, cursor.floor_hour, cursor.floor_day)
        self._connection.execute("INSERT OR REPLACE INTO cursor VALUES(?, ?, ?, ?, ?)", values).fetchall()


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(5_000)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", 1)  # NORMAL: see above
        connection.pragma("cache_size", -512)  # KiB
        _check(connection)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def _check(connection: apsw.Connection) -> None:
    """Make the tables of a new file; raises one of DAMAGE for a file that is not as it should be."""
    version = connection.pragma("user_version")
    if version == 0:
        with connection:
            connection.execute(_SCHEMA).fetchall()
            connection.pragma("user_version", SCHEMA_VERSION)
    elif version != SCHEMA_VERSION:
        raise apsw.FormatError(f"its schema is {version}, not {SCHEMA_VERSION}")
    if (finding := connection.pragma("quick_check", 1)) != "ok":
        raise apsw.CorruptError(str(finding))
