"""Finding a receipt without reading a fleet: by its series, then by halving, as numbers grow with seq."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_components.edgekit import keys, record
from edge_components.pos.epochs import series
from sales import in_bucket, in_table
from sales.reconcile import Cloud
from sales.till_ledger.file import open_copy

AFTER_EVERY_SEQ = "$"  # sorts after "#", before any other epoch


def in_ledger(path: Path, receipt: str) -> Mapping[str, Any] | None:
    """Its record in a ledger in hand."""
    with open_copy(path) as ledger:
        for row in ledger.rows():
            if row.receipt_no == receipt:
                content: Mapping[str, Any] = record.parse(row.record)
                return content
    return None


def place(
    cloud: Cloud, name: str, till: str | None, progress: Callable[[str], None]
) -> tuple[str, str] | None:
    """The till and epoch whose receipts are called so: a till's epochs are few, and each names its series."""
    for thing in [till] if till else _things(cloud):
        progress(thing)
        for epoch in _epochs(cloud, thing):
            if series(epoch) == name:
                return thing, epoch
    return None


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


def in_the_table(
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


def in_segments(
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
