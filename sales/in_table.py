"""What the sales table holds of a till."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_components.edgekit import keys
from sales.ahead import one_ahead
from sales.copies import Copy, Known, Report, sound
from sales.findings import Finding, Kind

ATTRIBUTES = (
    *("epoch", "seq", "hash", "prev_hash", "kind", "store"),
    *("business_date", "sale_id", "receipt_no", "recorded_at"),
)


@dataclass(frozen=True)
class Head:
    epoch: str
    seq: int
    hash: str
    time: str


def head(dynamodb: Any, table: str, thing: str) -> Head | None:
    """The last head heard from a till."""
    key = {"pk": {"S": thing}, "sk": {"S": keys.HEAD}}
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        return None
    return Head(item["epoch"]["S"], int(item["seq"]["N"]), item["hash"]["S"], item["time"]["S"])


def copies(dynamodb: Any, table: str, thing: str, report: Report, known: Known) -> Iterator[Copy]:
    """A till's records in the table, by epoch and seq, a page of the query in memory at a time."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="pk = :thing",
        ExpressionAttributeValues={":thing": {"S": thing}},
    )
    for page in one_ahead(pages):
        for item in page["Items"]:
            if item["sk"]["S"] != keys.HEAD:
                yield from _of_item(thing, item, report, known)


def _of_item(thing: str, item: Mapping[str, Any], report: Report, known: Known) -> Iterator[Copy]:
    values = {name: _plain(value) for name, value in item.items()}
    try:
        place = keys.parse_sort_key(values["sk"])
    except keys.KeyFormatError as error:
        report(Finding(Kind.PLACE, thing, None, None, f"table: {error}"))
        return
    text = str(values.get("record", "")).encode()
    content = sound(
        text, thing=thing, epoch=place.epoch, seq=place.seq, store="table", report=report, known=known
    )
    if content is not None:
        wrong = [name for name in ATTRIBUTES if values.get(name) != content[name]]
        wrong += ["pk"] if content["thing"] != thing else []
        wrong += (
            ["sk"] if values["sk"] != keys.sort_key(content["epoch"], content["seq"], content["hash"]) else []
        )
        if wrong:
            detail = f"table: {', '.join(wrong)} of the item differ from its record"
            report(Finding(Kind.PLACE, thing, place.epoch, place.seq, detail))
    yield Copy(place.epoch, place.seq, str(values.get("hash", "")), text, content, "table")


def _plain(value: Mapping[str, Any]) -> Any:
    kind, held = next(iter(value.items()))
    return int(held) if kind == "N" else held
