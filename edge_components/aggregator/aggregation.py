"""From the ledger to the sums: a page of records at a time, each counted once whatever is repeated."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from edge_components.aggregator.database import Cursor, Database
from edge_components.edgekit.ledger import LedgerReader, Row
from edge_components.edgekit.rollups import DAY, Contribution, Rollup, contribution

log = logging.getLogger("aggregator")

PAGE = 100  # records of a large basket are some 30 KB each: what is held at once decides the memory


class Aggregation:
    """Counts epochs one by one: a clock can step back between them, so each has a cursor of its own."""

    def __init__(self, ledger: LedgerReader, database: Database) -> None:
        self._ledger = ledger
        self._database = database

    def step(self) -> bool:
        """Count the next page; whether there may be more at once. Raises LedgerUnavailableError."""
        for head in self._ledger.heads():
            cursor = self._database.cursor(head.epoch)
            if cursor is None or (cursor.seq, cursor.hash) != (head.seq, head.hash):
                self._advance(head.epoch, cursor)
                return True
        return False

    def passed(self) -> tuple[str, int] | None:
        """The last record, in ledger order, up to which everything is counted; None before the first."""
        passed = None
        for head in self._ledger.heads():
            cursor = self._database.cursor(head.epoch)
            if cursor is not None and cursor.seq:
                passed = (head.epoch, min(cursor.seq, head.seq))
            if cursor is None or cursor.seq < head.seq:
                break
        return passed

    def _advance(self, epoch: str, cursor: Cursor | None) -> None:
        rows = self._following(cursor) if cursor is not None else None
        if cursor is None or rows is None:
            cursor = self._begin(epoch)
            rows = self._rows(epoch, cursor.seq)
        page = _Page(self._database, cursor)
        for row in rows:
            page.count(row)
        page.save()

    def _following(self, cursor: Cursor) -> list[Row] | None:
        """The rows after `cursor`; None when the ledger does not go on from there."""
        rows = self._rows(cursor.epoch, cursor.seq - 1)
        if rows and (rows[0].seq, rows[0].hash) == (cursor.seq, cursor.hash):
            return rows[1:]
        if rows and rows[0].seq == cursor.seq + 1 and _prev_hash(rows[0]) == cursor.hash:
            return rows  # retention has dropped the last one that was counted
        log.warning("epoch %s does not go on after seq %d: counting it again", cursor.epoch, cursor.seq)
        return None

    def _begin(self, epoch: str) -> Cursor:
        first = self._rows(epoch, 0)[0]
        cursor = Cursor(epoch, first.seq - 1, _prev_hash(first))
        if first.seq > 1:
            cursor = replace(cursor, floor_hour=first.recorded_at[:13], floor_day=first.business_date)
        self._database.begin(cursor)
        return cursor

    def _rows(self, epoch: str, after: int) -> list[Row]:
        return [row for row in self._ledger.after(epoch, after, PAGE) if row.epoch == epoch]


def _prev_hash(row: Row) -> str:
    return str(json.loads(row.record)["prev_hash"])


class _Page:
    """What changes with one page of rows."""

    def __init__(self, database: Database, cursor: Cursor) -> None:
        self._database = database
        self._cursor = cursor
        self._touched: dict[str, Rollup] = {}
        self._skipped: dict[int, str] = {}

    def count(self, row: Row) -> None:
        self._cursor = replace(self._cursor, seq=row.seq, hash=row.hash)
        try:
            added = contribution(json.loads(row.record))
            if added is not None:
                self._add(added)
        except ValueError as error:  # a RollupError, or what is not JSON
            self._skipped[row.seq] = str(error)
            log.critical("ALARM epoch %s seq %d is in no sum: %s", row.epoch, row.seq, error)

    def save(self) -> None:
        self._database.save(self._cursor, self._touched, self._skipped)

    def _add(self, added: Contribution) -> None:
        before = [one for bucket in added.buckets if (one := self._rollup(bucket)) is not None]
        after = [one.plus(added) for one in before]  # all of them, or the record is in none
        self._touched.update({one.bucket: one for one in after})

    def _rollup(self, bucket: str) -> Rollup | None:
        """The sums so far; None where they can't be whole, since their first records are gone."""
        held = self._touched.get(bucket) or self._database.rollup(bucket)
        if held is not None:
            return held
        new = Rollup(bucket)
        floor = self._cursor.floor_day if new.kind == DAY else self._cursor.floor_hour
        return None if new.period <= floor else new
