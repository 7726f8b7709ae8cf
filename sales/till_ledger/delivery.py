"""What a ledger in hand holds that the cloud doesn't, and its delivery under the same keys as the till's.

Keys are content-addressed: what is there already is left as it is, and a repeat changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from edge_components.edgekit import keys, record
from edge_components.edgekit.ledger import Head, Row
from edge_components.sync.adoption import unpacked
from edge_components.sync.bucket import segment
from edge_components.sync.items import head_update, item
from sales import in_bucket
from sales.copies import money
from sales.reconcile import Cloud
from sales.till_ledger.check import LedgerReport, Progress, quietly, sound_rows
from sales.till_ledger.file import LedgerFile, open_copy

BATCH = 25  # BatchWriteItem takes no more
SEGMENT = 500
ATTEMPTS = 8


class DeliveryError(Exception):
    """The cloud did not take something; the text says what to do."""


@dataclass
class Recovery:
    """What is missing in the cloud, and what of it was delivered. Money in minor units."""

    report: LedgerReport
    delivered: bool
    sound: int = 0
    missing_in_table: int = 0
    missing_in_bucket: int = 0
    money_missing_in_table: int = 0
    conflicts: list[str] = field(default_factory=list)
    head: Head | None = None

    @property
    def complete(self) -> bool:
        """The cloud has all that this ledger held."""
        whole = not (self.missing_in_table or self.missing_in_bucket) or self.delivered
        return self.report.sound and not self.conflicts and whole

    def document(self) -> dict[str, Any]:
        return {
            "ledger": self.report.document(),
            "sound_records": self.sound,
            "missing_in_table": self.missing_in_table,
            "missing_in_bucket": self.missing_in_bucket,
            "money_missing_in_table": self.money_missing_in_table,
            "conflicts": self.conflicts,
            "delivered": self.delivered,
            "complete": self.complete,
        }


def recover(
    path: Path,
    cloud: Cloud,
    *,
    deliver: bool,
    progress: Progress = quietly,
    pause: Callable[[float], None] = time.sleep,
) -> Recovery:
    """Compare a ledger with the cloud; with `deliver`, bring there what is missing.

    Memory holds a batch and a segment, however long the ledger is. Raises LedgerFileError, DeliveryError,
    ClientError.
    """
    report = LedgerReport(path)
    recovery = Recovery(report, deliver)
    with open_copy(path) as ledger:
        thing = ledger.meta().get("thing", "")
        if not thing.startswith(cloud.names.prefix):
            raise DeliveryError(
                f"{path} is the ledger of {thing or 'no till'}, which is no till of {cloud.names.fleet}; "
                "use the account and the fleet.toml of its fleet"
            )
        table = _Table(cloud, thing, recovery, pause)
        bucket = _Bucket(cloud, thing, recovery, ledger)
        for row in sound_rows(ledger, report, progress):
            recovery.sound += 1
            recovery.head = Head(row.epoch, row.seq, row.hash, row.recorded_at)
            table.take(row)
            bucket.take(row)
        table.end()
        bucket.end()
    if deliver and recovery.head is not None:
        _move_head(cloud, thing, recovery.head)
    return recovery


class _Table:
    """Walks beside the till's items in the table, which come in the same order."""

    def __init__(self, cloud: Cloud, thing: str, recovery: Recovery, pause: Callable[[float], None]) -> None:
        self._cloud, self._thing, self._recovery, self._pause = cloud, thing, recovery, pause
        self._there = _sort_keys(cloud, thing)
        self._next = next(self._there, None)
        self._waiting: list[Row] = []

    def take(self, row: Row) -> None:
        own = keys.SortKey(row.epoch, row.seq, row.hash[:8])
        found = False
        while self._next is not None and (self._next.epoch, self._next.seq) <= (row.epoch, row.seq):
            if self._next == own:
                found = True
            elif (self._next.epoch, self._next.seq) == (row.epoch, row.seq):
                where = f"epoch {row.epoch} seq {row.seq}"
                self._recovery.conflicts.append(
                    f"{where}: the table holds another record, {self._next.hash8}"
                )
            self._next = next(self._there, None)
        if not found:
            self._recovery.missing_in_table += 1
            self._recovery.money_missing_in_table += money(record.parse(row.record))
            self._waiting.append(row)
            if len(self._waiting) == BATCH:
                self.end()

    def end(self) -> None:
        rows, self._waiting = self._waiting, []
        if not (rows and self._recovery.delivered):
            return
        name = self._cloud.names.sales_table
        requests: Any = {name: [{"PutRequest": {"Item": item(self._thing, row)}} for row in rows]}
        for attempt in range(ATTEMPTS):
            requests = self._cloud.dynamodb.batch_write_item(RequestItems=requests)["UnprocessedItems"]
            if not requests:
                return
            self._pause(min(10.0, 0.1 * 2**attempt))
        raise DeliveryError(f"{name} is throttled and left records undone; run the same again to go on")


def _sort_keys(cloud: Cloud, thing: str) -> Iterator[keys.SortKey]:
    pages = cloud.dynamodb.get_paginator("query").paginate(
        TableName=cloud.names.sales_table,
        ConsistentRead=True,
        KeyConditionExpression="pk = :thing AND sk < :head",
        ExpressionAttributeValues={":thing": {"S": thing}, ":head": {"S": keys.HEAD}},
        ProjectionExpression="sk",
    )
    for page in pages:
        for entry in page["Items"]:
            yield keys.parse_sort_key(entry["sk"]["S"])


class _Bucket:
    """Gathers what no segment holds into segments of one epoch and business date, without a gap."""

    def __init__(self, cloud: Cloud, thing: str, recovery: Recovery, ledger: LedgerFile) -> None:
        self._cloud, self._thing, self._recovery = cloud, thing, recovery
        self._other: dict[str, list[keys.Segment]] = {}  # by epoch: segments that end with another record
        self._read: tuple[keys.Segment, frozenset[bytes]] | None = None
        listed = in_bucket.listed(cloud.s3, cloud.names.sales_bucket, thing)
        self._covered = _covered(self._agreeing(map(keys.parse_segment_key, listed), ledger))
        self._waiting: list[Row] = []

    def take(self, row: Row) -> None:
        spans = self._covered.get(row.epoch, [])
        if any(first <= row.seq <= last for first, last in spans) or self._elsewhere(row):
            return
        self._recovery.missing_in_bucket += 1
        if self._waiting and not _follows(self._waiting[-1], row):
            self.end()
        self._waiting.append(row)
        if len(self._waiting) == SEGMENT:
            self.end()

    def end(self) -> None:
        rows, self._waiting = self._waiting, []
        if not (rows and self._recovery.delivered):
            return
        made = segment(self._thing, rows)
        try:
            self._cloud.s3.put_object(
                Bucket=self._cloud.names.sales_bucket,
                Key=made.key,
                Body=made.body,
                ContentType="application/gzip",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "412"):
                raise  # taken meanwhile: its key names the hash of its last record, so it is this one

    def _agreeing(self, segments: Iterable[keys.Segment], ledger: LedgerFile) -> Iterator[keys.Segment]:
        """Those that end with a record of the ledger: hashes are chained, so they hold nothing else."""
        for found in segments:
            if (ledger.hash_at(found.epoch, found.last) or "").startswith(found.hash8):
                yield found
            elif ledger.has_epoch(found.epoch):
                self._other.setdefault(found.epoch, []).append(found)

    def _elsewhere(self, row: Row) -> bool:
        """Whether a segment that goes on otherwise than the ledger holds this record: that has to be read."""
        return any(
            found.first <= row.seq <= found.last and row.record.encode() in self._lines(found)
            for found in self._other.get(row.epoch, [])
        )

    def _lines(self, found: keys.Segment) -> frozenset[bytes]:
        if self._read is None or self._read[0] != found:
            body = self._cloud.s3.get_object(Bucket=self._cloud.names.sales_bucket, Key=str(found))["Body"]
            self._read = found, frozenset((unpacked(body.read()) or b"").split(b"\n"))
        return self._read[1]


def _follows(last: Row, row: Row) -> bool:
    return (last.epoch, last.business_date, last.seq + 1) == (row.epoch, row.business_date, row.seq)


def _covered(segments: Iterable[keys.Segment]) -> dict[str, list[tuple[int, int]]]:
    """Per epoch, spans of seqs that segments cover, neighbours joined: a few, however many segments."""
    ordered = sorted((one.epoch, one.first, one.last) for one in segments)
    covered: dict[str, list[tuple[int, int]]] = {}
    for epoch, group in groupby(ordered, key=lambda one: one[0]):
        spans: list[tuple[int, int]] = []
        for _, first, last in group:
            if spans and first <= spans[-1][1] + 1:
                spans[-1] = (spans[-1][0], max(spans[-1][1], last))
            else:
                spans.append((first, last))
        covered[epoch] = spans
    return covered


def _move_head(cloud: Cloud, thing: str, head: Head) -> None:
    """The till has been heard of up to here: what is missing before it counts as lost from now on."""
    try:
        cloud.dynamodb.update_item(**head_update(cloud.names.sales_table, thing, head))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise  # the cloud's head is further on: it stays
