"""Delivery to S3: segments that are fixed in sync.db before they are put, each put once or found again."""

from __future__ import annotations

import base64
import gzip
import logging
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile

from botocore.exceptions import ClientError

from edge_components.edgekit import keys
from edge_components.edgekit.ledger import PAGE, Head, LedgerReader, Row
from edge_components.sync import refused
from edge_components.sync.adoption import Adoption, unpacked
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import UnusableRecordError
from edge_components.sync.mending import mended, recorded
from edge_components.sync.progress import next_epoch
from edge_components.sync.settings import Settings
from edge_components.sync.state import FixedSegment, State

log = logging.getLogger("sync")

SINK = "s3"
THERE = "PreconditionFailed"
LEVEL = 6  # a third of level 9's time for 2% more bytes


def segment(thing: str, rows: Sequence[Row]) -> FixedSegment:
    """The rows, of one epoch and business date, as they will lie in the bucket: the same bytes every time."""
    first, last = rows[0], rows[-1]
    key = keys.segment_key(
        first.business_date, thing, first.epoch, first=first.seq, last=last.seq, last_hash=last.hash
    )
    lines = "".join(f"{row.record}\n" for row in rows)
    return FixedSegment(key, first.epoch, first.seq, last.seq, gzip.compress(lines.encode(), LEVEL, mtime=0))


def _usable(row: Row) -> Row | None:
    try:
        return mended(row)
    except UnusableRecordError:
        return None


def _belong(oldest: Row, row: Row | None) -> bool:
    return row is not None and (row.epoch, row.business_date) == (oldest.epoch, oldest.business_date)


class BucketSink:
    """`step` delivers one segment, once it is closed."""

    name = SINK

    def __init__(self, settings: Settings, ledger: LedgerReader, state: State, cloud: Cloud) -> None:
        self._settings = settings
        self._ledger = ledger
        self._state = state
        self._cloud = cloud
        self._adoption = Adoption(settings, ledger, cloud)
        self._waiting: tuple[str, int, float] | None = None  # the oldest record seen, and when (monotonic)
        self._looked: set[str] = set()  # epochs whose segments in the bucket this process knows

    def step(self) -> bool:
        """Deliver what comes next; False when no segment is closed. Raises what stood in the way."""
        if (fixed := self._state.fixed()) is not None:
            self._look(fixed.epoch, fixed)
        if (fixed := self._state.fixed()) is not None:
            self._put(fixed)
            return True
        heads = self._ledger.heads()
        head = next_epoch(heads, self._state, SINK)
        if head is None:
            return False
        self._look(head.epoch)
        after = self._state.watermark(SINK, head.epoch) or 0
        try:
            rows = self._closed(head, after, newest=head.epoch == heads[-1].epoch)
        except UnusableRecordError as error:
            return self._refuse(head.epoch, after, str(error))
        if rows:
            self._state.fix(segment(self._settings.thing, rows))
        return bool(rows)

    def _look(self, epoch: str, fixed: FixedSegment | None = None) -> None:
        """Once an epoch and process: the bucket may have more than sync.db knows of.

        That is lost, or as old as the card's image that was put back; or the ledger was recovered by hand.
        """
        if epoch in self._looked:
            return
        after = self._state.watermark(SINK, epoch) or 0
        held = self._adoption.watermark(epoch, after, besides=fixed.key if fixed else None)
        if held > after:
            self._state.adopt(SINK, epoch, held)
        self._looked.add(epoch)

    def _refuse(self, epoch: str, after: int, reason: str) -> bool:
        """Leave out the next row, of which no line can be made."""
        row = self._row(epoch, after)
        if row is not None:
            refused.keep(self._settings.refused, SINK, row, reason)
            self._state.advance(SINK, epoch, row.seq)
        return True

    def _closed(self, head: Head, after: int, *, newest: bool) -> list[Row]:
        """The rows of the next segment, or none while it may still grow. Raises UnusableRecordError."""
        limit = self._settings.segment_records
        first, latest = self._row(head.epoch, after), self._row(head.epoch, head.seq - 1)
        if first is None or latest is None:
            return []
        oldest = mended(first)
        full = head.seq - after >= limit
        day_over = latest.business_date != oldest.business_date
        if not (full or day_over or not newest or self._old(oldest)):
            return []
        return self._together(oldest, limit)

    def _together(self, oldest: Row, limit: int) -> list[Row]:
        """Up to `limit` rows from `oldest` on, of its epoch and business date, read a page at a time."""
        rows: list[Row] = [oldest]
        while len(rows) < limit:
            page = self._ledger.after(oldest.epoch, rows[-1].seq, min(PAGE, limit - len(rows)))
            same = list(takewhile(lambda row: _belong(oldest, row), map(_usable, page)))
            rows += [row for row in same if row is not None]
            if len(same) < len(page) or not page:
                break
        return rows

    def _row(self, epoch: str, after: int) -> Row | None:
        rows = self._ledger.after(epoch, after, 1)
        return rows[0] if rows and rows[0].epoch == epoch else None

    def _old(self, oldest: Row) -> bool:
        """By the record's own time or by what this process has seen: a till's clock may be wrong."""
        if self._waiting is None or self._waiting[:2] != (oldest.epoch, oldest.seq):
            self._waiting = (oldest.epoch, oldest.seq, time.monotonic())
        seen = time.monotonic() - self._waiting[2]
        made = recorded(oldest)
        age = (datetime.now(UTC) - made.astimezone(UTC)).total_seconds() if made else 0.0
        return max(seen, age) >= self._settings.segment_seconds

    def _put(self, fixed: FixedSegment) -> None:
        try:
            self._cloud.s3.put_object(
                Bucket=self._settings.sales_bucket,
                Key=fixed.key,
                Body=fixed.body,
                ContentType="application/gzip",
                ChecksumCRC32=base64.b64encode(zlib.crc32(fixed.body).to_bytes(4, "big")).decode(),
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in (THERE, "412"):
                raise
            self._compare(fixed)
        self._state.delivered(SINK, fixed)

    def _compare(self, fixed: FixedSegment) -> None:
        """The key is taken: by this segment, after an answer was lost, or by something else."""
        answer = self._cloud.s3.get_object(Bucket=self._settings.sales_bucket, Key=fixed.key)
        if unpacked(answer["Body"].read()) != unpacked(fixed.body):
            refused.keep_segment(self._settings.refused, fixed, "its key holds other content")

    def close(self) -> None:
        """Nothing is held but what sync.db has."""
