"""Reading the ledger without harming it: read-only, a bounded page at a time, no transaction left open."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import apsw

PAGE = 500  # rows at most per call: what one read transaction may hold up
_BUSY_MILLISECONDS = 2_000
_CACHE_KIB = 256  # pages are read once, in order: SQLite's default of 2 MB a reader would buy nothing
COPIES = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")
COLUMNS = (*COPIES, "record")  # the record has a hash; the columns before it only repeat what it says


class LedgerUnavailableError(Exception):
    """The ledger cannot be read now: not made yet, moved aside, or busy. Trying again later is right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the ledger holds it; `record` is its canonical JSON, hash included."""

    epoch: str
    seq: int
    kind: str
    sale_id: str | None
    receipt_no: str | None
    business_date: str
    recorded_at: str
    hash: str
    record: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of an epoch."""

    epoch: str
    seq: int
    hash: str
    recorded_at: str


class LedgerReader:
    """Reads `ledger.db` while pos writes it; may be used from several threads.

    The file is opened at the first call and again when pos has put a new one in its place. Every call raises
    LedgerUnavailableError when there is nothing to read. Never `immutable`: that misses what is in the WAL.
    A text that a card has made none any more is read with U+FFFD in it; the record's hash tells of that.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._inode: tuple[int, int] | None = None

    def after(self, epoch: str, seq: int, limit: int = PAGE) -> list[Row]:
        """Up to `limit` (at most 500) rows that follow (epoch, seq), in epoch, then seq order.

        `after("", 0)` reads from the beginning.
        """
        return self._rows(
            "WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?",
            (epoch, seq, max(1, min(limit, PAGE))),
        )

    def sale(self, sale_id: str) -> Row | None:
        """The record of one sale."""
        return next(iter(self._rows("WHERE sale_id = ?", (sale_id,))), None)

    def heads(self) -> list[Head]:
        """The last record of each epoch, oldest epoch first; costs one index look-up per epoch."""
        rows = self._texts(
            """
            WITH RECURSIVE epochs(epoch) AS (
                SELECT min(epoch) FROM records
                UNION ALL
                SELECT (SELECT min(epoch) FROM records WHERE epoch > epochs.epoch) FROM epochs
                WHERE epochs.epoch IS NOT NULL
            )
            SELECT {} FROM epochs
            JOIN records AS r ON r.epoch = epochs.epoch
             AND r.seq = (SELECT max(seq) FROM records WHERE epoch = epochs.epoch)
            ORDER BY r.epoch
            """,
            ("r.epoch", "r.seq", "r.hash", "r.recorded_at"),
            (),
        )
        return [Head(*row) for row in rows]

    def dropped(self, epoch: str) -> tuple[int, str] | None:
        """Seq and hash of the last record of an epoch that retention dropped: what its oldest one follows."""
        if self.meta("schema_version") == "1":
            return None  # before retention
        rows = self._all("SELECT seq, hash FROM dropped WHERE epoch = ?", (epoch,))
        return (rows[0][0], rows[0][1]) if rows else None

    def meta(self, key: str) -> str | None:
        """A value from the table `meta`, such as `thing` or `schema_version`."""
        rows = self._all("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def close(self) -> None:
        with self._lock:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, which: str, bindings: tuple[Any, ...]) -> list[Row]:
        """The rows of `records` that a WHERE clause names, and what follows it."""
        return [Row(*row) for row in self._texts(f"SELECT {{}} FROM records {which}", COLUMNS, bindings)]  # noqa: S608 - constant texts

    def _texts(self, sql: str, columns: Sequence[str], bindings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """`sql` with these columns in the place of its {}."""
        try:
            rows = self._all(sql.format(", ".join(columns)), bindings)
        except UnicodeDecodeError:
            as_bytes = (name if name.endswith("seq") else f"CAST({name} AS BLOB)" for name in columns)
            rows = self._all(sql.format(", ".join(as_bytes)), bindings)
        if any(bytes in map(type, row) for row in rows):  # also where a changed bit made a text a blob
            return [tuple(map(_text, row)) for row in rows]
        return rows

    def _all(self, sql: str, bindings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return list(self._current().execute(sql, bindings))
            except apsw.Error as error:
                self._close()
                raise LedgerUnavailableError(f"{self._path} cannot be read: {error}") from error

    def _current(self) -> apsw.Connection:
        try:
            status = self._path.stat()
        except OSError as error:
            self._close()
            raise LedgerUnavailableError(
                f"{self._path} cannot be read: {os.strerror(error.errno or 0)}"
            ) from error
        inode = (status.st_dev, status.st_ino)
        if self._connection is None or self._inode != inode:
            self._close()
            self._connection = _open(self._path)
            self._inode = inode
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close(force=True)
            self._connection = None


def _text(found: Any) -> Any:
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)  # what mode=ro sets
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute("PRAGMA query_only = ON").fetchall()
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}").fetchall()
    return connection
