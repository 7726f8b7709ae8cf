"""Delivery to DynamoDB: batches of 25, what was acknowledged without a gap is the watermark."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from edge_components.edgekit.ledger import Head, LedgerReader, Row
from edge_components.sync import refused
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import Kind, NotAcknowledgedError, NotAwsError, UnusableRecordError, classify
from edge_components.sync.heads import CloudHeads
from edge_components.sync.items import head_update, item
from edge_components.sync.progress import delivered, next_epoch
from edge_components.sync.settings import Settings
from edge_components.sync.state import State

log = logging.getLogger("sync")

BATCH = 25  # BatchWriteItem takes no more
SINK = "dynamodb"
Outcome = tuple[
    int, Exception | None
]  # records from the beginning that are in the table, what kept the next out
TROUBLES = (ClientError, BotoCoreError, NotAwsError, UnusableRecordError)


class TableSink:
    """`step` delivers a page of the ledger; writers grow on success and halve after trouble."""

    name = SINK

    def __init__(
        self,
        settings: Settings,
        ledger: LedgerReader,
        state: State,
        cloud: Cloud,
        heads: CloudHeads | None = None,
    ) -> None:
        self._settings = settings
        self._heads = heads or CloudHeads(settings, cloud)
        self._ledger = ledger
        self._state = state
        self._cloud = cloud
        self._writers = 1
        self._pool = ThreadPoolExecutor(settings.most_writers, thread_name_prefix="dynamodb")
        self._head_after = 0.0  # monotonic: when the head item may be written again
        self._head: tuple[str, int] | None = None  # what the head item says, as far as this process knows
        self._last: Row | None = None  # the last record known to be in the table

    def step(self) -> bool:
        """Deliver what comes next; False when the table has everything. Raises what stood in the way."""
        heads = self._ledger.heads()
        if not heads:
            return False
        self._heads.asked_first()
        self._write_head(delivered(heads, self._state))
        head = next_epoch(heads, self._state, SINK)
        if head is None:
            return False
        after = self._state.watermark(SINK, head.epoch) or 0
        rows = [row for row in self._ledger.after(head.epoch, after) if row.epoch == head.epoch]
        self._deliver(rows)
        return bool(rows)

    def _deliver(self, rows: list[Row]) -> None:
        """Keep as many batches in flight as there are writers; after trouble, only wait for those."""
        waiting = deque(rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
        flying: deque[tuple[list[Row], Future[Outcome]]] = deque()
        trouble: Exception | None = None
        there = 0
        while flying or (waiting and trouble is None):
            while waiting and trouble is None and len(flying) < self._writers:
                chunk = waiting.popleft()
                flying.append((chunk, self._pool.submit(self._attempt, chunk)))
            chunk, future = flying.popleft()
            acknowledged, failed = future.result()
            if trouble is None:
                there += acknowledged
                trouble = failed
            if failed is None:
                self._writers = min(self._settings.most_writers, self._writers + 1)
        self._acknowledge(rows[:there])
        if trouble is not None:
            self._writers = max(1, self._writers // 2)
            raise trouble

    def _acknowledge(self, rows: Sequence[Row]) -> None:
        if rows:
            self._last = rows[-1]
            self._state.advance(SINK, rows[-1].epoch, rows[-1].seq)

    def _attempt(self, chunk: list[Row]) -> Outcome:
        """How many records from the chunk's beginning are in the table, and what kept the next one out."""
        try:
            left = self._write(chunk)
        except TROUBLES as error:
            if classify(error) is not Kind.CONTENT:
                return 0, error
            return self._one_by_one(chunk)
        if not left:
            return len(chunk), None
        first = next(index for index, row in enumerate(chunk) if row.seq in left)
        return first, NotAcknowledgedError(f"{len(left)} of {len(chunk)} records were left unprocessed")

    def _write(self, chunk: Sequence[Row]) -> set[int]:
        """Write a chunk; returns the seqs that the table left undone."""
        table, thing = self._settings.sales_table, self._settings.thing
        requests = [{"PutRequest": {"Item": item(thing, row)}} for row in chunk]
        answer: dict[str, Any] = self._cloud.dynamodb.batch_write_item(RequestItems={table: requests})
        undone = answer["UnprocessedItems"].get(table, [])
        return {int(request["PutRequest"]["Item"]["seq"]["N"]) for request in undone}

    def _one_by_one(self, chunk: list[Row]) -> Outcome:
        """Find what is refused for its content. It counts as such only if the table takes another record."""
        suspects: list[tuple[Row, Exception]] = []
        proven = False
        for index, row in enumerate(chunk):
            try:
                if self._write([row]):
                    return self._settle(chunk[:index], suspects, proven), NotAcknowledgedError(
                        "a record was left"
                    )
                proven = True
            except TROUBLES as error:
                if classify(error) is not Kind.CONTENT:
                    return self._settle(chunk[:index], suspects, proven), error
                suspects.append((row, error))
        settled = self._settle(chunk, suspects, proven)
        return settled, None if settled == len(chunk) else suspects[0][1]

    def _settle(self, tried: list[Row], suspects: list[tuple[Row, Exception]], proven: bool) -> int:
        if suspects and not (proven or self._table_takes_records()):
            return next(index for index, row in enumerate(tried) if row is suspects[0][0])
        for row, error in suspects:
            refused.keep(self._settings.refused, SINK, row, str(error))
        return len(tried)

    def _table_takes_records(self) -> bool:
        """Whether a record that the table already has is taken again, which changes nothing."""
        return self._last is not None and not self._write([self._last])

    def _write_head(self, passed: tuple[str, int] | None) -> None:
        """Move the till's head item to what both places have: up to there nothing may be missing."""
        if passed is None or passed == self._head or time.monotonic() < self._head_after:
            return
        epoch, seq = passed
        row = next(iter(self._ledger.after(epoch, seq - 1, 1)), None)
        if row is None or (row.epoch, row.seq) != passed:
            return  # retention has dropped it: a later one will be the head
        head = Head(epoch, seq, row.hash, row.recorded_at)
        try:
            update = head_update(self._settings.sales_table, self._settings.thing, head)
            self._cloud.dynamodb.update_item(**update)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            log.critical("ALARM the cloud's head is ahead of epoch %s seq %d here", epoch, seq)
        self._head = passed
        self._head_after = time.monotonic() + self._settings.head_seconds

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
