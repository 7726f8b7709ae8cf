"""Appending to the ledger: numbers without gaps, receipts, the chain. Used by the writer's thread alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import apsw

from edge_components.edgekit import record
from edge_components.edgekit.record import ZERO_HASH

from . import database, epochs
from .assignment import Assignment
from .clock import STEP_NANOSECONDS, Clock, Moment, business_date
from .errors import NotSellingError
from .rules import Sale, content


@dataclass(frozen=True, slots=True)
class Position:
    """Where the chain stands: what the next record follows from."""

    epoch: str
    seq: int
    hash: str
    receipts: int
    business_date: str | None
    recorded_at: str
    clock_offset: int | None = None  # wall less monotonic nanoseconds at the last sale of this process


@dataclass(frozen=True, slots=True)
class Rejection:
    """What could not be interpreted: codes and a digest, never the body."""

    digest: str
    size: int
    reasons: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sale: `new` or `repeat` with its record, or `conflict` with the one that is there."""

    kind: str
    record: Mapping[str, Any]


class Ledger:
    """One open ledger; `position` is what is written, committed or about to be."""

    def __init__(
        self, connection: apsw.Connection, clock: Clock, assignment: Assignment, position: Position | None
    ) -> None:
        self.connection = connection
        self.assignment = assignment
        self._clock = clock
        self._position = position

    @property
    def position(self) -> Position:
        if self._position is None:
            raise NotSellingError("ledger_closed", "the ledger has no epoch yet")
        return self._position

    def restore(self, position: Position) -> None:
        """Go back to where the chain stood, after a rolled back savepoint."""
        self._position = position

    def open_epoch(self, reason: str, previous: Mapping[str, Any] | None, after: str | None) -> None:
        """Begin a new epoch above `after`, naming why and the last head that is known."""
        moment = self._clock.now()
        epoch = epochs.new_epoch(moment.wall, after)
        self._position = Position(epoch, 0, ZERO_HASH, 0, None, "")
        self._append("epoch_opened", {"reason": reason, "previous": previous}, moment)

    def add_sale(self, sale: Sale) -> Outcome:
        """Record a sale, or find that it is recorded."""
        found = self.find(sale.sale_id)
        if found is not None:
            same = content(found["terminal"], found["cashier"], found["body"]) == sale.content()
            return Outcome("repeat" if same else "conflict", found)
        moment = self._clock.now()
        self._note_clock_step(moment)
        written = self._append(
            "sale",
            sale.body,
            moment,
            terminal=sale.terminal,
            cashier=sale.cashier,
            sale_id=sale.sale_id,
            receipt_no=f"{epochs.series(self.position.epoch)}-{self.position.receipts + 1:09d}",
            exceptions=list(sale.exceptions),
        )
        self._position = replace(self.position, receipts=self.position.receipts + 1)
        return Outcome("new", written)

    def add_rejection(self, rejection: Rejection) -> None:
        body = {"digest": rejection.digest, "size": rejection.size, "reasons": list(rejection.reasons)}
        self._append("rejection", body, self._clock.now())

    def find(self, sale_id: str) -> dict[str, Any] | None:
        row = self.connection.execute("SELECT record FROM records WHERE sale_id = ?", (sale_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def _note_clock_step(self, moment: Moment) -> None:
        """A change of the clock is a record of its own, never an edit of earlier ones."""
        offset = moment.wall - moment.monotonic
        before = self.position.clock_offset
        self._position = replace(self.position, clock_offset=offset)
        if before is not None and abs(offset - before) > STEP_NANOSECONDS:
            self._append("clock_step", {"milliseconds": (offset - before) // 1_000_000}, moment)

    def _append(self, kind: str, body: Mapping[str, Any], moment: Moment, **given: Any) -> dict[str, Any]:
        position, assignment = self.position, self.assignment
        date = business_date(moment, assignment, position.business_date)
        written = record.seal(
            {
                "v": record.VERSION,
                "epoch": position.epoch,
                "seq": position.seq + 1,
                "kind": kind,
                "thing": assignment.thing,
                "store": assignment.store,
                "terminal": None,
                "cashier": None,
                "sale_id": None,
                "receipt_no": None,
                "business_date": date,
                "recorded_at": moment.text,
                "clock_synchronized": self._clock.synchronized(),
                "boot_id": self._clock.boot_id,
                "monotonic_ns": moment.monotonic,
                "catalogue_version": None,
                "body": body,
                "exceptions": [],
                "prev_hash": position.hash,
                **given,
            }
        )
        self._insert(written)
        self._position = replace(
            position, seq=written["seq"], hash=written["hash"], business_date=date, recorded_at=moment.text
        )
        return written

    def _insert(self, written: Mapping[str, Any]) -> None:
        columns = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")
        values = (*(written[column] for column in columns), record.canonical(written).decode())
        self.connection.execute("INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", values).fetchall()


def read_position(connection: apsw.Connection) -> Position | None:
    """Where the newest epoch of a ledger stands."""
    last = connection.execute(
        "SELECT epoch, seq, hash, business_date, recorded_at FROM records"
        " ORDER BY epoch DESC, seq DESC LIMIT 1"
    ).fetchone()
    if last is None:
        return None
    epoch, seq, last_hash, date, recorded_at = last
    receipt = connection.execute(
        "SELECT receipt_no FROM records WHERE epoch = ? AND receipt_no IS NOT NULL ORDER BY seq DESC LIMIT 1",
        (epoch,),
    ).fetchone()
    receipts = int(receipt[0].rpartition("-")[2]) if receipt else 0
    return Position(epoch, seq, last_hash, receipts, date, recorded_at)


def set_machine(connection: apsw.Connection, assignment: Assignment, machine_id: str) -> None:
    """Remember whose ledger this is."""
    database.set_meta(connection, "thing", assignment.thing)
    database.set_meta(connection, "machine_id", machine_id)
