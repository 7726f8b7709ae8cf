"""Where one receipt is: every hop from the terminal to the cloud with its time, and what is still to come."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_components.edgekit import keys, record
from edge_components.pos.epochs import series
from sales import in_bucket, in_table
from sales.reconcile import Cloud
from sales.till_ledger.file import open_copy

RECEIPT = re.compile(r"([0-9A-Z]{1,12})-([0-9]{1,9})")
AFTER_EVERY_SEQ = "$"  # sorts after "#", before any other epoch


class ExplainError(Exception):
    """The question can't be answered; the text says what to do."""


@dataclass(frozen=True)
class Hop:
    """One place where the sale should be. `there` is None where nobody can say."""

    name: str
    there: bool | None
    time: str | None
    detail: str

    def document(self) -> dict[str, Any]:
        return vars(self)


@dataclass
class Explanation:
    receipt: str
    thing: str | None = None
    epoch: str | None = None
    seq: int | None = None
    hops: list[Hop] = field(default_factory=list)
    conclusion: str = ""
    complete: bool = False

    def document(self) -> dict[str, Any]:
        return {**vars(self), "hops": [hop.document() for hop in self.hops]}


def explain(
    cloud: Cloud,
    receipt: str,
    *,
    till: str | None = None,
    ledger: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Follow a receipt number through the fleet, or one till of it. Raises ExplainError, LedgerFileError."""
    match = RECEIPT.fullmatch(receipt)
    if not match:
        raise ExplainError(f"{receipt!r} is no receipt number; it looks like K3M9QZ-000000042")
    found = Explanation(receipt)
    held = _in_ledger(ledger, receipt) if ledger else None
    if held is not None:
        found.thing, found.epoch = held["thing"], held["epoch"]
    else:
        _locate(cloud, match[1], till, found, progress)
    if found.thing is None or found.epoch is None:
        found.conclusion = _nowhere(match[1], till)
        return found
    _follow(cloud, found, held, given=ledger is not None)
    return found


def _nowhere(name: str, till: str | None) -> str:
    where = f"till {till}" if till else "any till that the cloud knows"
    return (
        f"The cloud has no epoch with the receipts {name} of {where}: the number is misread, or its till has "
        "not been heard since; look at the till, or give its ledger with --ledger."
    )


def _in_ledger(path: Path | None, receipt: str) -> Mapping[str, Any] | None:
    if path is None:
        return None
    with open_copy(path) as ledger:
        for row in ledger.rows():
            if row.receipt_no == receipt:
                content: Mapping[str, Any] = record.parse(row.record)
                return content
    return None


def _locate(
    cloud: Cloud, name: str, till: str | None, found: Explanation, progress: Callable[[str], None]
) -> None:
    """The till and epoch whose receipts are called so: a till's epochs are few, and each names its series."""
    for thing in [till] if till else _things(cloud):
        progress(thing)
        for epoch in _epochs(cloud, thing):
            if series(epoch) == name:
                found.thing, found.epoch = thing, epoch
                return


def _things(cloud: Cloud) -> Iterator[str]:
    pages = cloud.dynamodb.get_paginator("scan").paginate(
        TableName=cloud.names.registry_table, ProjectionExpression="thing"
    )
    for page in pages:
        yield from (entry["thing"]["S"] for entry in page["Items"])


def _epochs(cloud: Cloud, thing: str) -> Iterator[str]:
    """A till's epochs in the table, each found past the last one's records; then what only the head names."""
    after = "0"
    while True:
        answer = cloud.dynamodb.query(
            TableName=cloud.names.sales_table,
            KeyConditionExpression="pk = :thing AND sk BETWEEN :after AND :last",
            ExpressionAttributeValues={":thing": {"S": thing}, ":after": {"S": after}, ":last": {"S": "g"}},
            ProjectionExpression="sk",
            Limit=1,
        )
        if not answer["Items"]:
            break
        epoch = keys.parse_sort_key(answer["Items"][0]["sk"]["S"]).epoch
        yield epoch
        after = f"{epoch}{AFTER_EVERY_SEQ}"
    head = in_table.head(cloud.dynamodb, cloud.names.sales_table, thing)
    if head is not None:
        yield head.epoch


def _follow(cloud: Cloud, found: Explanation, held: Mapping[str, Any] | None, *, given: bool) -> None:
    thing, epoch = str(found.thing), str(found.epoch)
    entry = _in_table(cloud, thing, epoch, found.receipt, held)
    in_the_table = record.parse(entry["record"]["S"]) if entry else None
    number = int(found.receipt.rpartition("-")[2])
    segment, lines = _in_segments(cloud, thing, epoch, number, (in_the_table or held or {}).get("seq"))
    in_the_bucket = next((line for line in lines if line["receipt_no"] == found.receipt), None)
    content = in_the_table or in_the_bucket or held
    head = in_table.head(cloud.dynamodb, cloud.names.sales_table, thing)
    if content is not None:
        found.seq = content["seq"]
        found.hops += [_terminal(content), _ledger(content, in_hand=held is not None)]
    elif given:
        found.hops.append(Hop("ledger", False, None, "not in the ledger given"))
    found.hops.append(_table(cloud, entry))
    found.hops.append(_segment(segment if in_the_bucket else None))
    passed = head is not None and found.seq is not None and (epoch, found.seq) <= (head.epoch, head.seq)
    about = f"epoch {head.epoch} seq {head.seq}" if head else "none heard"
    found.hops.append(Hop("head", passed, head.time if head else None, about))
    found.complete = bool(in_the_table and in_the_bucket)
    found.conclusion = _conclusion(found, table=bool(in_the_table), bucket=bool(in_the_bucket), passed=passed)


def _terminal(content: Mapping[str, Any]) -> Hop:
    about = f"{content['kind']} at {content['terminal']} by {content['cashier']}, store {content['store']}"
    return Hop("terminal", True, content["body"].get("sold_at"), about)


def _ledger(content: Mapping[str, Any], *, in_hand: bool) -> Hop:
    clock = "" if content["clock_synchronized"] else ", by a clock that was not synchronized"
    where = "read from the ledger given" if in_hand else "as its record says"
    about = f"epoch {content['epoch']} seq {content['seq']} hash {content['hash'][:8]}, {where}{clock}"
    return Hop("ledger", True, content["recorded_at"], about)


def _table(cloud: Cloud, entry: Mapping[str, Any] | None) -> Hop:
    where = cloud.names.sales_table
    about = f"{where}: {entry['sk']['S']} (DynamoDB keeps no time of arrival)" if entry else f"not in {where}"
    return Hop("table", entry is not None, None, about)


def _segment(listed: Mapping[str, Any] | None) -> Hop:
    if listed is None:
        return Hop("segment", False, None, "in no segment in the bucket")
    return Hop("segment", True, listed["LastModified"].isoformat(), listed["Key"])


def _conclusion(found: Explanation, *, table: bool, bucket: bool, passed: bool) -> str:
    if table and bucket:
        return "The sale is in the cloud, in both places; nothing is to be done."
    if passed:
        lacking = " and ".join(name for name, there in (("table", table), ("bucket", bucket)) if not there)
        return (
            f"The till delivered it, but the {lacking} lacks it: run greentill sales reconcile "
            f"--till {found.thing}, and recover it from the till's ledger with greentill sales recover."
        )
    if table or bucket:
        waits = "its segment is still open on the till" if table else "the table's delivery is behind"
        return f"On its way: {waits}. If that lasts longer than an hour, look at the till's sync log."
    return (
        f"It has not left the till {found.thing} as far as the cloud knows: bring the till online; "
        "if it is dead, keep its card and run greentill sales recover on its ledger.db."
    )


def _in_table(
    cloud: Cloud, thing: str, epoch: str, receipt: str, held: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """By its place where that is known, else by halving: receipt numbers grow with seq."""
    if held is not None:
        return _at(cloud, thing, epoch, held["seq"], exactly=True)
    wanted = int(receipt.rpartition("-")[2])
    low, high = (
        wanted,
        _last_seq(cloud, thing, epoch),
    )  # each receipt takes a seq, so it isn't before its number
    while low <= high:
        middle = (low + high) // 2
        entry = _next_numbered(cloud, thing, epoch, middle)
        number = int(entry["receipt_no"]["S"].rpartition("-")[2]) if entry else None
        if entry is None or (number is not None and number > wanted):
            high = middle - 1
        elif number == wanted:
            return entry
        else:
            low = int(entry["seq"]["N"]) + 1
    return None


def _at(cloud: Cloud, thing: str, epoch: str, seq: int, *, exactly: bool) -> Mapping[str, Any] | None:
    """The first item from `seq` on in an epoch."""
    answer = cloud.dynamodb.query(
        TableName=cloud.names.sales_table,
        KeyConditionExpression="pk = :thing AND sk BETWEEN :from AND :to",
        ExpressionAttributeValues={
            ":thing": {"S": thing},
            ":from": {"S": f"{epoch}#{seq:012d}"},
            ":to": {"S": f"{epoch}#{seq:012d}#~" if exactly else f"{epoch}{AFTER_EVERY_SEQ}"},
        },
        ConsistentRead=True,
        Limit=1,
    )
    found: list[Mapping[str, Any]] = answer["Items"]
    return found[0] if found else None


def _next_numbered(cloud: Cloud, thing: str, epoch: str, seq: int) -> Mapping[str, Any] | None:
    """The first record from `seq` on that has a receipt: clock steps and openings have none."""
    while (entry := _at(cloud, thing, epoch, seq, exactly=False)) is not None:
        if "receipt_no" in entry:
            return entry
        seq = int(entry["seq"]["N"]) + 1
    return None


def _last_seq(cloud: Cloud, thing: str, epoch: str) -> int:
    answer = cloud.dynamodb.query(
        TableName=cloud.names.sales_table,
        KeyConditionExpression="pk = :thing AND sk BETWEEN :from AND :to",
        ExpressionAttributeValues={
            ":thing": {"S": thing},
            ":from": {"S": f"{epoch}#"},
            ":to": {"S": f"{epoch}{AFTER_EVERY_SEQ}"},
        },
        ProjectionExpression="seq",
        ScanIndexForward=False,
        Limit=1,
    )
    return int(answer["Items"][0]["seq"]["N"]) if answer["Items"] else 0


def _in_segments(
    cloud: Cloud, thing: str, epoch: str, number: int, seq: int | None
) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    """The segment with a seq or, where that is unknown, with a receipt number; and its records."""
    listed = sorted(
        (
            found
            for found in in_bucket.entries(cloud.s3, cloud.names.sales_bucket, thing)
            if f"/{epoch}-" in found["Key"]
        ),
        key=lambda found: keys.parse_segment_key(found["Key"]).first,
    )
    for found in listed:
        span = keys.parse_segment_key(found["Key"])
        if span.first <= seq <= span.last if seq is not None else span.last >= number:
            lines = _records_in(cloud, found["Key"])
            receipts = [int(one["receipt_no"].rpartition("-")[2]) for one in lines if one["receipt_no"]]
            if seq is not None or number in receipts:
                return found, lines
    return None, []


def _records_in(cloud: Cloud, key: str) -> list[Mapping[str, Any]]:
    body = cloud.s3.get_object(Bucket=cloud.names.sales_bucket, Key=key)["Body"].read()
    try:
        return [json.loads(line) for line in gzip.decompress(body).splitlines()]
    except (OSError, EOFError, zlib.error, ValueError):
        return []  # damaged: reconcile says how; here it is simply not there
