"""What must be remembered across the whole fleet, on disk rather than in memory.

A temporary SQLite database that nobody else sees: keys of segments, sale_ids seen, receipts that terminals
hold. It goes when the process does.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from edge_components.edgekit.keys import Segment
from sales.journal import Entry

SCHEMA = """
CREATE TABLE segments(thing TEXT, epoch TEXT, first INTEGER, last INTEGER, key TEXT PRIMARY KEY)
  WITHOUT ROWID;
CREATE INDEX segments_of_till ON segments(thing, epoch, first, last);
CREATE TABLE sales(sale_id TEXT, thing TEXT, epoch TEXT, seq INTEGER,
                   PRIMARY KEY(sale_id, thing, epoch, seq)) WITHOUT ROWID;
CREATE TABLE receipts(thing TEXT, epoch TEXT, seq INTEGER, hash TEXT, sale_id TEXT,
                      PRIMARY KEY(thing, epoch, seq, sale_id)) WITHOUT ROWID;
CREATE TABLE arrived(thing TEXT, epoch TEXT, seq INTEGER, hash TEXT, in_table INTEGER, in_bucket INTEGER,
                     PRIMARY KEY(thing, epoch, seq)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Place:
    thing: str
    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"till {self.thing} epoch {self.epoch} seq {self.seq}"


@dataclass(frozen=True)
class Receipt:
    """A receipt that a terminal holds, with what the cloud has at its place (`found_hash` None: nothing)."""

    epoch: str
    seq: int
    hash: str
    sale_id: str
    found_hash: str | None
    in_table: bool
    in_bucket: bool


class Evidence:
    """Use as a context manager, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            "", isolation_level=None, check_same_thread=False
        )  # a temporary file
        self._database.executescript(SCHEMA)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("BEGIN")  # never committed: one transaction is what makes it quick

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add_segment(self, segment: Segment, key: str) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO segments VALUES (?, ?, ?, ?, ?)",
            (segment.thing, segment.epoch, segment.first, segment.last, key),
        )

    def segments(self, thing: str) -> Iterator[str]:
        """A till's segment keys by epoch and first seq."""
        with self._lock:
            rows = self._database.execute(
                "SELECT key FROM segments WHERE thing = ? ORDER BY epoch, first, last, key", (thing,)
            ).fetchall()
        return (key for (key,) in rows)

    def things_with_segments(self) -> set[str]:
        return {thing for (thing,) in self._database.execute("SELECT DISTINCT thing FROM segments")}

    def add_receipts(self, entries: Iterable[Entry]) -> None:
        self._database.executemany(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?)",
            ((e.thing, e.epoch, e.seq, e.hash, e.sale_id) for e in entries if e.outcome == "acknowledged"),
        )

    def things_with_receipts(self) -> set[str]:
        return {thing for (thing,) in self._database.execute("SELECT DISTINCT thing FROM receipts")}

    def sold(self, sale_id: str, place: Place) -> None:
        """Remember where a sale_id is."""
        with self._lock:
            self._database.execute(
                "INSERT OR IGNORE INTO sales VALUES (?, ?, ?, ?)",
                (sale_id, place.thing, place.epoch, place.seq),
            )

    def sold_twice(self) -> Iterator[tuple[str, Place, Place]]:
        """Each place whose sale_id is in another record as well, with the first such place."""
        rows = self._database.execute(
            """SELECT s.sale_id, s.thing, s.epoch, s.seq, f.thing, f.epoch, f.seq
               FROM sales AS s JOIN sales AS f ON f.sale_id = s.sale_id
                AND (f.thing, f.epoch, f.seq) = (SELECT thing, epoch, seq FROM sales WHERE sale_id = s.sale_id
                                                 ORDER BY thing, epoch, seq LIMIT 1)
               WHERE (s.thing, s.epoch, s.seq) > (f.thing, f.epoch, f.seq)
               ORDER BY s.thing, s.epoch, s.seq"""
        )
        return ((row[0], Place(*row[1:4]), Place(*row[4:7])) for row in rows)

    def arrived(self, place: Place, record_hash: str, *, in_table: bool, in_bucket: bool) -> None:
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO arrived VALUES (?, ?, ?, ?, ?, ?)",
                (place.thing, place.epoch, place.seq, record_hash, in_table, in_bucket),
            )

    def receipts(self, thing: str) -> Iterator[Receipt]:
        with self._lock:
            rows = self._database.execute(
                """SELECT r.epoch, r.seq, r.hash, r.sale_id,
                      a.hash, coalesce(a.in_table, 0), coalesce(a.in_bucket, 0)
               FROM receipts AS r LEFT JOIN arrived AS a USING (thing, epoch, seq)
               WHERE r.thing = ? ORDER BY r.epoch, r.seq""",
                (thing,),
            ).fetchall()
        return (
            Receipt(epoch, seq, wanted, sale, found, bool(table), bool(bucket))
            for epoch, seq, wanted, sale, found, table, bucket in rows
        )
