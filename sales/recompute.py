"""A business date added up again from the bucket, and held against what tills have said of it.

Segments lie by business date, so that a date is read whole without reading another one. Hours are not: one
of UTC can lie in two business dates.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edge_components.edgekit import keys
from edge_components.edgekit.rollups import Rollup, RollupError, contribution, read
from sales import in_bucket
from sales.copies import Copy, Known
from sales.findings import Finding
from sales.reconcile import Cloud


class State(StrEnum):
    """A rollup as it is in the table, against the segments."""

    AGREES = "agrees"
    DIFFERS = "differs"  # the same version with other sums
    BEHIND = "the table is behind"  # the till has not delivered its sums yet, or lost them
    AHEAD = "the bucket is behind"  # segments are still to come


@dataclass(frozen=True)
class Day:
    """One till's business date in one epoch; `told` is what the table has."""

    thing: str
    computed: Rollup
    told: str | None

    @property
    def state(self) -> State:
        version = 0 if self.told is None else _version(self.told)
        if version == self.computed.version:
            return State.AGREES if self.told == self.computed.payload() else State.DIFFERS
        return State.BEHIND if version < self.computed.version else State.AHEAD

    def document(self) -> dict[str, Any]:
        return {"thing": self.thing, "state": str(self.state), "payload": self.computed.payload()}


@dataclass
class Recomputed:
    date: str
    days: list[Day] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the bucket's records are whole, and no sum differs from theirs."""
        differs = any(day.state is State.DIFFERS for day in self.days)
        return not (differs or self.findings or self.unusable)

    def document(self) -> dict[str, Any]:
        return {
            "date": self.date,
            "sound": self.sound,
            "tills": [day.document() for day in self.days],
            "findings": [finding.document() for finding in self.findings],
            "unusable": self.unusable,
        }


def recompute(cloud: Cloud, date: str) -> Recomputed:
    """Add up every till's `date` (YYYY-MM-DD) that has segments; records are streamed, a till at a time."""
    found = Recomputed(date)
    for thing, segments in sorted(_segments(cloud, date).items()):
        copies = in_bucket.copies(
            cloud.s3, cloud.names.sales_bucket, segments, found.findings.append, Known()
        )
        for rollup in _added_up(copies, found.unusable).values():
            found.days.append(Day(thing, rollup, _told(cloud, thing, rollup.bucket)))
    return found


def _added_up(copies: Iterable[Copy], unusable: list[str]) -> dict[str, Rollup]:
    """The day's buckets, one an epoch. A record that lies in two segments counts once: its seq was passed."""
    days: dict[str, Rollup] = {}
    for copy in copies:
        if copy.content is None:
            continue  # in the findings
        try:
            added = contribution(copy.content)
            if added is not None:
                bucket = added.buckets[1]
                days[bucket] = days.get(bucket, Rollup(bucket)).plus(added)
        except RollupError as error:
            unusable.append(f"epoch {copy.epoch} seq {copy.seq}: {error}")
    return days


def _told(cloud: Cloud, thing: str, bucket: str) -> str | None:
    """The payload that the table has."""
    answer = cloud.dynamodb.get_item(
        TableName=cloud.names.rollups_table,
        Key={"pk": {"S": thing}, "sk": {"S": bucket}},
        ConsistentRead=True,
    )
    payload: str | None = answer.get("Item", {}).get("payload", {}).get("S")
    return payload


def _version(payload: str) -> int:
    """The version in a payload; 0 for what is none, which anything may replace."""
    try:
        return read(payload).version
    except RollupError:
        return 0


def _segments(cloud: Cloud, date: str) -> Mapping[str, list[str]]:
    """The date's segment keys by till, each till's by epoch and first seq."""
    found: dict[str, list[str]] = defaultdict(list)
    pages = cloud.s3.get_paginator("list_objects_v2").paginate(
        Bucket=cloud.names.sales_bucket, Prefix=f"sales/date={date}/"
    )
    for page in pages:
        for entry in page.get("Contents", []):
            found[keys.parse_segment_key(entry["Key"]).thing].append(entry["Key"])
    for segments in found.values():
        segments.sort(key=lambda key: (keys.parse_segment_key(key).epoch, keys.parse_segment_key(key).first))
    return found
