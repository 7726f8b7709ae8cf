"""A till that has sold for years is reconciled in the memory of one that has sold for a day."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from edge_components.edgekit import keys, record
from infra.names import Names
from sales.findings import MOST_LISTED, Finding, Group, Kind, TillReport
from sales.reconcile import Cloud, reconcile
from tests.sales.chains import DAY, EPOCH, THING, item

PAGE = 500


@dataclass
class Shelves:
    """A table and a bucket that make what they hold when they are asked, page by page."""

    count: int
    texts: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        last = record.ZERO_HASH
        for seq in range(1, self.count + 1):
            sealed = record.seal(self._content(seq, last))
            last = sealed["hash"]
            self.texts.append(record.canonical(sealed))

    def _content(self, seq: int, last: str) -> dict[str, Any]:
        values: dict[str, Any] = dict.fromkeys(record.KEYS)
        del values["hash"]
        body = {"reason": "new", "previous": None} if seq == 1 else {"totals": {"total": 100}}
        return {
            **values,
            "v": 1,
            "epoch": EPOCH,
            "seq": seq,
            "kind": "epoch_opened" if seq == 1 else "sale",
            "thing": THING,
            "store": "ST-367",
            "sale_id": f"sale-{seq}" if seq > 1 else None,
            "business_date": DAY,
            "recorded_at": f"{DAY}T12:00:00.000000Z",
            "body": body,
            "prev_hash": last,
        }

    def get_item(self, **_: Any) -> dict[str, Any]:
        last = record.parse(self.texts[-1])
        head = {"epoch": {"S": EPOCH}, "seq": {"N": str(self.count)}, "hash": {"S": last["hash"]}}
        return {"Item": {**head, "time": {"S": last["recorded_at"]}}}

    def get_paginator(self, operation: str) -> Any:
        return {"query": _Pages(self._items), "list_objects_v2": _Pages(self._listing)}[operation]

    def _items(self, **_: Any) -> Iterator[dict[str, Any]]:
        for start in range(0, self.count, PAGE):
            yield {"Items": [item(record.parse(text)) for text in self.texts[start : start + PAGE]]}

    def _listing(self, **asked: Any) -> Iterator[dict[str, Any]]:
        if "Delimiter" in asked:
            yield {"CommonPrefixes": [{"Prefix": f"sales/date={DAY}/"}]}
            return
        yield {"Contents": [{"Key": key} for key in self._segments()]}

    def _segments(self) -> Iterator[str]:
        for first in range(1, self.count + 1, PAGE):
            last = min(first + PAGE - 1, self.count)
            end = record.parse(self.texts[last - 1])["hash"]
            yield keys.segment_key(DAY, THING, EPOCH, first=first, last=last, last_hash=end)

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        found = keys.parse_segment_key(Key)
        body = gzip.compress(b"".join(text + b"\n" for text in self.texts[found.first - 1 : found.last]), 1)
        return {"Body": BytesIO(body), "ContentLength": len(body)}


@dataclass
class _Pages:
    make: Any

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        pages: Iterator[dict[str, Any]] = self.make(**asked)
        return pages


def peak(count: int) -> int:
    """Bytes that a reconciliation of `count` records takes at most."""
    shelves = Shelves(count)
    counted = 0

    def watch(records: int) -> None:
        nonlocal counted
        counted += records

    tracemalloc.start()
    try:
        verdict = reconcile(
            Cloud(Names("greentill", "0" * 12, "eu-west-1"), shelves, shelves), thing=THING, counted=watch
        )
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert verdict.clean
    assert counted == verdict.tills[0].in_table == verdict.tills[0].in_bucket == count
    return most


def test_memory_does_not_grow_with_what_a_till_has_sold() -> None:
    assert peak(16_000) < peak(4_000) * 1.2


def test_findings_without_end_are_counted_and_no_longer_listed() -> None:
    report = TillReport(THING)
    for seq in range(MOST_LISTED + 50):
        report.add(Finding(Kind.HASH, THING, EPOCH, seq))
    assert len(report.findings) == MOST_LISTED
    assert report.count(Group.BROKEN) == MOST_LISTED + 50
    assert report.document()["unlisted"] == 50
    assert not report.clean
