"""Prove, per till and epoch, that the cloud has every record once, in table and bucket, unbroken by hash.

"Every" reaches up to the last head heard from a till; what lies after it is unknown, and said to be. Each
till is streamed, so memory does not grow with what it has sold.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from edge_components.edgekit import keys
from infra.names import Names
from sales import in_bucket, in_table
from sales.chain import Follower
from sales.copies import Known
from sales.evidence import Evidence
from sales.findings import Finding, Group, Kind, TillReport
from sales.journal import Entry

TILLS_AT_ONCE = 4  # each with pages and segments fetched beforehand


@dataclass(frozen=True)
class Cloud:
    """Where a fleet's sales lie, and boto3 clients that may read them."""

    names: Names
    dynamodb: Any
    s3: Any


class UnknownTillError(Exception):
    """No till has this name: nothing could be proven of it, and nothing found would look like a proof."""


@dataclass
class Verdict:
    tills: list[TillReport] = field(default_factory=list)
    strays: list[Finding] = field(default_factory=list)
    unanswered: int = 0

    @property
    def findings(self) -> list[Finding]:
        return [*self.strays, *(finding for till in self.tills for finding in till.findings)]

    @property
    def clean(self) -> bool:
        return not self.findings

    def count(self, group: Group) -> int:
        strays = sum(finding.count for finding in self.strays if finding.kind.group is group)
        return strays + sum(till.count(group) for till in self.tills)

    def document(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "lost": self.count(Group.LOST),
            "doubled": self.count(Group.DOUBLED),
            "broken": self.count(Group.BROKEN),
            "unanswered": self.unanswered,
            "tills": [till.document() for till in self.tills],
            "strays": [finding.document() for finding in self.strays],
        }


def reconcile(
    cloud: Cloud,
    *,
    thing: str | None = None,
    journal: Iterable[Entry] = (),
    progress: Callable[[TillReport], None] = lambda _: None,
    counted: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Check one till or, without `thing`, every till that the registry, the bucket or the journal names.

    Several tills at once. `progress` is told of each till, `counted` of each record, from any thread.
    """
    verdict = Verdict()
    with Evidence() as evidence:
        for key in in_bucket.listed(cloud.s3, cloud.names.sales_bucket, thing):
            try:
                evidence.add_segment(keys.parse_segment_key(key), key)
            except keys.KeyFormatError:
                verdict.strays.append(Finding(Kind.PLACE, thing or "?", None, None, f"bucket: {key}"))
        evidence.add_receipts(_counted(journal, thing, verdict))
        told = evidence.things_with_receipts()
        things = [thing] if thing else _things(cloud, evidence)
        with ThreadPoolExecutor(TILLS_AT_ONCE) as pool:
            for report in pool.map(lambda name: _till(cloud, name, evidence, name in told, counted), things):
                verdict.tills.append(report)
                progress(report)
        _twice(verdict.tills, evidence)
    return verdict


def find_till(cloud: Cloud, given: str) -> str:
    """The thing name of a till named by it or by its serial. Raises UnknownTillError.

    A till that the registry has forgotten is known by what it delivered.
    """
    for thing in dict.fromkeys((given, f"{cloud.names.prefix}{given}")):
        if _registered(cloud, thing) or _delivered(cloud, thing):
            return thing
    raise UnknownTillError(
        f"there is no till {given} here; see the ones there are with: greentill till status"
    )


def _registered(cloud: Cloud, thing: str) -> bool:
    key = {"thing": {"S": thing}}
    return "Item" in cloud.dynamodb.get_item(TableName=cloud.names.registry_table, Key=key)


def _delivered(cloud: Cloud, thing: str) -> bool:
    found = cloud.dynamodb.query(
        TableName=cloud.names.sales_table,
        KeyConditionExpression="pk = :thing",
        ExpressionAttributeValues={":thing": {"S": thing}},
        Limit=1,
    )
    return bool(found["Items"]) or any(
        True for _ in in_bucket.listed(cloud.s3, cloud.names.sales_bucket, thing)
    )


def _counted(journal: Iterable[Entry], thing: str | None, verdict: Verdict) -> Iterator[Entry]:
    for entry in journal:
        if thing is None or entry.thing == thing:
            verdict.unanswered += entry.outcome == "unanswered"
            yield entry


def _things(cloud: Cloud, evidence: Evidence) -> list[str]:
    pages = cloud.dynamodb.get_paginator("scan").paginate(
        TableName=cloud.names.registry_table, ProjectionExpression="thing"
    )
    registered = {item["thing"]["S"] for page in pages for item in page["Items"]}
    return sorted(registered | evidence.things_with_segments() | evidence.things_with_receipts())


def _twice(tills: Iterable[TillReport], evidence: Evidence) -> None:
    """Sale_ids across the whole fleet: the first place stands, each other one is a double."""
    reports = {report.thing: report for report in tills}
    for sale_id, place, other in evidence.sold_twice():
        finding = Finding(Kind.SOLD_TWICE, place.thing, place.epoch, place.seq, f"{sale_id}, also {other}")
        reports[place.thing].add(finding)


def _till(
    cloud: Cloud, thing: str, evidence: Evidence, told: bool, counted: Callable[[int], None]
) -> TillReport:
    report = TillReport(thing)
    table, bucket = cloud.names.sales_table, cloud.names.sales_bucket
    head = in_table.head(cloud.dynamodb, table, thing)  # first: what arrives later only lies beyond it
    if head is None:
        report.notes.append("no head heard yet")
    else:
        report.head_epoch, report.head_seq, report.head_time = head.epoch, head.seq, head.time
    follower = Follower(report, head, evidence, told=told, counted=counted)
    known = Known()
    follower.follow(
        follower.at_head(in_table.copies(cloud.dynamodb, table, thing, report.add, known)),
        follower.at_head(in_bucket.copies(cloud.s3, bucket, evidence.segments(thing), report.add, known)),
    )
    _compare(report, evidence)
    return report


def _compare(report: TillReport, evidence: Evidence) -> None:
    """What terminals were told against what the cloud has."""
    for receipt in evidence.receipts(report.thing):
        report.acknowledged += 1
        place = (report.thing, receipt.epoch, receipt.seq)
        absent = [
            name for name, there in (("table", receipt.in_table), ("bucket", receipt.in_bucket)) if not there
        ]
        if absent and not report.lost(receipt.epoch, receipt.seq):
            detail = f"{' and '.join(absent)}, sale {receipt.sale_id}"
            report.add(Finding(Kind.ACKNOWLEDGED_MISSING, *place, detail))
        elif not absent and receipt.found_hash != receipt.hash:
            report.add(Finding(Kind.ACKNOWLEDGED_OTHER, *place, f"sale {receipt.sale_id}"))
