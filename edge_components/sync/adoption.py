"""Finding the segments that a lost or outdated sync.db had put, so that no record lies in two of them."""

from __future__ import annotations

import gzip
import logging
import zlib

from botocore.exceptions import ClientError

from edge_components.edgekit import keys
from edge_components.edgekit.ledger import LedgerReader, Row
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import Kind, classify
from edge_components.sync.settings import Settings

log = logging.getLogger("sync")


def unpacked(body: bytes) -> bytes | None:
    """What a segment says; None for what is no segment. Compressed bytes may differ between zlib releases."""
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return None


class Adoption:
    """Asked once per epoch and process; an empty listing tells that the bucket has nothing more."""

    def __init__(self, settings: Settings, ledger: LedgerReader, cloud: Cloud) -> None:
        self._settings = settings
        self._ledger = ledger
        self._cloud = cloud

    def watermark(self, epoch: str, after: int = 0, *, besides: str | None = None) -> int:
        """The last seq of `epoch` that segments in the bucket hold without a gap from the ledger's first on.

        From the one behind `after` on, up to which it is known; the segment with the key `besides` left out.
        """
        row = self._row(epoch, after)
        passed = row.seq - 1 if row else after
        listed: dict[str, list[keys.Segment]] = {}
        try:
            while row is not None:
                if row.business_date not in listed:
                    found = self._segments(row)
                    listed[row.business_date] = [one for one in found if str(one) != besides]
                held = self._end_of(row, listed[row.business_date])
                if held is None:
                    break
                log.info("adopted a segment that the bucket has: epoch %s, up to seq %d", epoch, held)
                passed = held
                row = self._row(epoch, passed)
        except ClientError as error:
            if classify(error) is not Kind.DENIED:
                raise
            log.warning("segments in the bucket can't be listed, so none is adopted: %s", error)
        return passed

    def _row(self, epoch: str, after: int) -> Row | None:
        rows = self._ledger.after(epoch, after, 1)
        return rows[0] if rows and rows[0].epoch == epoch else None

    def _segments(self, row: Row) -> list[keys.Segment]:
        prefix = f"sales/date={row.business_date}/till={self._settings.thing}/{row.epoch}-"
        pages = self._cloud.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.sales_bucket, Prefix=prefix
        )
        return [keys.parse_segment_key(entry["Key"]) for page in pages for entry in page.get("Contents", [])]

    def _end_of(self, row: Row, segments: list[keys.Segment]) -> int | None:
        """The end of what a segment holds of the ledger from `row` on.

        Its key names the hash of its last record. Hashes are chained, so where that one is the ledger's, all
        before it are. Otherwise it is read: a card's image that was put back ends in the middle of one.
        """
        for found in segments:
            if found.first <= row.seq <= found.last:
                last = self._row(row.epoch, found.last - 1)
                if last is not None and last.seq == found.last and last.hash.startswith(found.hash8):
                    return found.last
                common = self._common(row, found)
                if common is not None:
                    return common
                log.critical("ALARM the segment %s holds other records than the ledger", found)
        return None

    def _common(self, row: Row, found: keys.Segment) -> int | None:
        """The last of the ledger's records, from `row` on without a gap, that are in a segment."""
        answer = self._cloud.s3.get_object(Bucket=self._settings.sales_bucket, Key=str(found))
        lines = frozenset((unpacked(answer["Body"].read()) or b"").split(b"\n"))
        held = None
        following: Row | None = row
        while following is not None and following.record.encode() in lines:
            held = following.seq
            following = self._row(row.epoch, held)
        return held
