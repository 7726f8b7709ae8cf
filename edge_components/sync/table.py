"""Delivery to DynamoDB: batches of 25, what was acknowledged without a gap is the watermark."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from edge_components.edgekit.ledger import Head, LedgerReader, Row
from edge_components.sync import refused
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import Kind, NotAcknowledgedError, NotAwsError, UnusableRecordError, classify
from edge_components.sync.heads import CloudHeads
from edge_components.sync.items import head_update, item
from edge_components.sync.progress import next_epoch
from edge_components.sync.settings import Settings
from edge_components.sync.state import State

log = logging.getLogger("sync")

BATCH = 25  # BatchWriteItem takes no more
SINK = "dynamodb"
TROUBLES = (ClientError, BotoCoreError, NotAwsError, UnusableRecordError)


class TableSink:
    """`step` delivers up to a batch per writer; writers grow on success and halve when throttled."""

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
        self._head: tuple[str, int] | None = None  # what the head item says, as far as this process knows
        self._last: Row | None = None  # the last record known to be in the table

    def step(self) -> bool:
        """Deliver what comes next; False when the table has everything. Raises what stood in the way."""
        heads = self._ledger.heads()
        head = next_epoch(heads, self._state, SINK)
        self._heads.asked_first()
        if head is None:
            return self._write_head(heads[-1]) if heads else False
        after = self._state.watermark(SINK, head.epoch) or 0
        rows = [
            row
            for row in self._ledger.after(head.epoch, after, BATCH * self._writers)
            if row.epoch == head.epoch
        ]
        self._deliver(rows)
        return bool(rows)

    def _deliver(self, rows: list[Row]) -> None:
        chunks = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        trouble: Exception | None = None
        for chunk, outcome in zip(chunks, self._pool.map(self._attempt, chunks), strict=True):
            if trouble is None:
                acknowledged, trouble = outcome
                self._acknowledge(chunk[:acknowledged])
        if trouble is not None:
            self._writers = max(1, self._writers // 2)
            raise trouble
        self._writers = min(self._settings.most_writers, self._writers + 1)

    def _acknowledge(self, rows: Sequence[Row]) -> None:
        if rows:
            self._last = rows[-1]
            self._state.advance(SINK, rows[-1].epoch, rows[-1].seq)

    def _attempt(self, chunk: list[Row]) -> tuple[int, Exception | None]:
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
        if "UnprocessedItems" not in answer:
            raise NotAwsError("BatchWriteItem was answered without UnprocessedItems")
        undone = answer["UnprocessedItems"].get(table, [])
        return {int(request["PutRequest"]["Item"]["seq"]["N"]) for request in undone}

    def _one_by_one(self, chunk: list[Row]) -> tuple[int, Exception | None]:
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

    def _write_head(self, head: Head) -> bool:
        """Move the till's head item once all is delivered; False, since nothing is left to do after it."""
        if self._head == (head.epoch, head.seq):
            return False
        table, thing = self._settings.sales_table, self._settings.thing
        try:
            self._cloud.dynamodb.update_item(**head_update(table, thing, head))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            log.critical("ALARM the cloud's head is ahead of epoch %s seq %d here", head.epoch, head.seq)
        self._head = (head.epoch, head.seq)
        return False

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
