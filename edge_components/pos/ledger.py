"""Appending to the ledger: numbers without gaps, receipts, the chain. Used by the writer's thread alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import apsw

from edge_components.edgekit import record
from edge_components.edgekit.ledger import COPIES
from edge_components.edgekit.record import ZERO_HASH

from . import epochs, figures, reversals, schema
from .assignment import Assignment
from .clock import STEP_NANOSECONDS, Clock, Moment, business_date, day_after, wall_nanoseconds
from .entries import Entry, EntryRefusedError, Scene
from .errors import NotSellingError


@dataclass(frozen=True, slots=True)
class Position:
    """Where the chain stands: what the next record follows from."""

    epoch: str
    seq: int
    hash: str
    receipts: int
    business_date: str | None  # the earliest that the next record may carry
    recorded_at: str
    clock_offset: int | None = None  # wall less monotonic nanoseconds at the last record since boot


@dataclass(frozen=True, slots=True)
class Rejection:
    """What could not be interpreted: codes and a digest, never the body."""

    digest: str
    size: int
    reasons: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an entry: `new` or `repeat` with its record, or `conflict` with the one there is."""

    kind: str
    record: Mapping[str, Any]


class Ledger:
    """One open ledger; `position` is what is written, committed or about to be."""

    def __init__(
        self, connection: apsw.Connection, clock: Clock, assignment: Assignment, position: Position | None
    ) -> None:
        self.connection = connection
        self.assignment = assignment
        self.catalogue_version: str | None = None  # what the till sells from: each record names it
        self.unchecked = False  # after an unclean stop, too big to be looked at before selling
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

    def add(self, entry: Entry) -> Outcome:
        """Record what a terminal asks, or find that it is recorded; raises EntryRefusedError."""
        found = self._found(entry.sale_id)
        if found is not None:
            return Outcome("repeat" if entry.matches(found) else "conflict", found)
        moment = self._clock.now()
        self._note_clock_step(moment)
        settled = entry.settle(self._scene(moment))
        written = self._append(
            entry.kind,
            settled.body,
            moment,
            terminal=entry.terminal,
            cashier=entry.cashier,
            sale_id=entry.sale_id,
            receipt_no=f"{epochs.series(self.position.epoch)}-{self.position.receipts + 1:09d}",
            exceptions=list(settled.exceptions),
        )
        self._position = replace(self.position, receipts=self.position.receipts + 1)
        figures.note(self.connection, written)
        if settled.reverses is not None:
            reversals.note(self.connection, settled.reverses, written)
        if entry.kind == "day_close":
            self._begin_day(written)
        return Outcome("new", written)

    def add_rejection(self, rejection: Rejection) -> None:
        body = {"digest": rejection.digest, "size": rejection.size, "reasons": list(rejection.reasons)}
        moment = self._clock.now()
        self._note_clock_step(moment)
        self._append("rejection", body, moment)

    def _found(self, sale_id: str) -> dict[str, Any] | None:
        try:
            return self.find(sale_id)
        except ValueError as error:
            text = "this is recorded, but the till's card has changed the record: don't record it again"
            raise EntryRefusedError(409, "record_damaged", text) from error

    def find(self, sale_id: str) -> dict[str, Any] | None:
        row = self.connection.execute("SELECT record FROM records WHERE sale_id = ?", (sale_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def _scene(self, moment: Moment) -> Scene:
        return Scene(
            connection=self.connection,
            assignment=self.assignment,
            business_date=business_date(moment, self.assignment, self.position.business_date),
            local_date=business_date(moment, self.assignment, None),
            clock_synchronized=self._clock.synchronized(),
        )

    def _begin_day(self, close: Mapping[str, Any]) -> None:
        """What comes after a day close belongs to a later day, whatever the clock says."""
        date = max(close["business_date"], day_after(close["body"]["business_date"]))
        self._position = replace(self.position, business_date=date)

    def _note_clock_step(self, moment: Moment) -> None:
        """A change of the clock is a record of its own, never an edit of earlier ones."""
        offset = moment.wall - moment.monotonic
        before = self.position.clock_offset
        if before is not None and abs(offset - before) > STEP_NANOSECONDS:
            self._append("clock_step", {"milliseconds": (offset - before) // 1_000_000}, moment)

    def _append(self, kind: str, body: Mapping[str, Any], moment: Moment, **given: Any) -> dict[str, Any]:
        position, assignment = self.position, self.assignment
        date = business_date(moment, assignment, position.business_date)
        unsealed = {
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
            "monotonic_ns": moment.monotonic & record.MAX_INTEGER,  # 104 days, then from 0 again
            "catalogue_version": self.catalogue_version,
            "body": body,
            "exceptions": [],
            "prev_hash": position.hash,
            **given,
        }
        sealed, text = record.sealed_text(unsealed)
        written = {**unsealed, "hash": sealed}
        self._insert(written, text)
        self._position = replace(
            position,
            seq=written["seq"],
            hash=written["hash"],
            business_date=date,
            recorded_at=moment.text,
            clock_offset=moment.wall - moment.monotonic,
        )
        return written

    def _insert(self, written: Mapping[str, Any], text: str) -> None:
        values = (*(written[column] for column in COPIES), text)
        self.connection.execute("INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", values).fetchall()


def read_position(connection: apsw.Connection, clock: Clock) -> Position | None:
    """Where the newest epoch of a ledger stands; the clocks are compared within one boot only."""
    last = connection.execute(
        "SELECT epoch, record FROM records ORDER BY epoch DESC, seq DESC LIMIT 1"
    ).fetchone()
    if last is None:
        return None
    epoch, newest = last[0], json.loads(last[1])
    receipt = connection.execute(
        "SELECT receipt_no FROM records WHERE epoch = ? AND receipt_no IS NOT NULL ORDER BY seq DESC LIMIT 1",
        (epoch,),
    ).fetchone()
    return Position(
        epoch=epoch,
        seq=newest["seq"],
        hash=newest["hash"],
        receipts=int(receipt[0].rpartition("-")[2]) if receipt else 0,
        business_date=max(newest["business_date"], _day_after_last_close(connection, epoch)),
        recorded_at=newest["recorded_at"],
        clock_offset=_offset(newest, clock),
    )


def _offset(newest: Mapping[str, Any], clock: Clock) -> int | None:
    """How the clocks stood to each other, unless the machine has started again or a record's count has."""
    if newest["boot_id"] != clock.boot_id or clock.now().monotonic > record.MAX_INTEGER:
        return None
    return wall_nanoseconds(newest["recorded_at"]) - int(newest["monotonic_ns"])


def _day_after_last_close(connection: apsw.Connection, epoch: str) -> str:
    row = connection.execute(
        "SELECT record FROM records INDEXED BY records_day_close WHERE kind = 'day_close' AND epoch = ?"
        " ORDER BY business_date DESC, seq DESC LIMIT 1",
        (epoch,),
    ).fetchone()
    return day_after(json.loads(row[0])["body"]["business_date"]) if row else ""


def set_machine(connection: apsw.Connection, assignment: Assignment, machine_id: str) -> None:
    """Remember whose ledger this is."""
    schema.set_meta(connection, "thing", assignment.thing)
    schema.set_meta(connection, "machine_id", machine_id)
