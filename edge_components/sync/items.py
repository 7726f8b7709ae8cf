"""A record as the sales table holds it; nothing in it varies between attempts."""

from __future__ import annotations

import json
from typing import Any

from edge_components.edgekit import keys
from edge_components.edgekit.ledger import Head, Row
from edge_components.sync.errors import UnusableRecordError
from edge_components.sync.mending import mended

Item = dict[str, dict[str, str]]


def item(thing: str, row: Row) -> Item:
    """The item of a record, in DynamoDB's own notation; null values are left out.

    Raises UnusableRecordError for what is no record.
    """
    row = mended(row)
    try:
        record = json.loads(row.record)
        previous, body = record["prev_hash"], record.get("body") or {}
        key = keys.sort_key(row.epoch, row.seq, row.hash)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableRecordError(f"epoch {row.epoch} seq {row.seq} is no record: {error!r}") from error
    store = record.get("store")
    texts = {
        "pk": thing,
        "sk": key,
        "epoch": row.epoch,
        "hash": row.hash,
        "prev_hash": previous,
        "kind": row.kind,
        "store": store,
        "business_date": row.business_date,
        "store_date": f"{store}#{row.business_date}" if store and row.business_date else None,
        "sale_id": row.sale_id,
        "receipt_no": row.receipt_no,
        "recorded_at": row.recorded_at,
        "currency": body.get("currency"),
        "record": row.record,
    }
    numbers = {"seq": row.seq, "total": _total(body)}
    return {
        **{name: {"S": value} for name, value in texts.items() if value is not None},
        **{name: {"N": str(value)} for name, value in numbers.items() if value is not None},
    }


def _total(body: dict[str, Any]) -> int | None:
    totals = body.get("totals")
    total = totals.get("total") if isinstance(totals, dict) else None
    return total if isinstance(total, int) else None


def head_update(table: str, thing: str, head: Head) -> dict[str, Any]:
    """Arguments of UpdateItem that move the till's head forward, never back; a repeat succeeds."""
    return {
        "TableName": table,
        "Key": {"pk": {"S": thing}, "sk": {"S": keys.HEAD}},
        "UpdateExpression": "SET #epoch = :epoch, #seq = :seq, #hash = :hash, #time = :time",
        "ConditionExpression": (
            "attribute_not_exists(pk) OR #epoch < :epoch OR (#epoch = :epoch AND #seq <= :seq)"
        ),
        "ExpressionAttributeNames": {"#epoch": "epoch", "#seq": "seq", "#hash": "hash", "#time": "time"},
        "ExpressionAttributeValues": {
            ":epoch": {"S": head.epoch},
            ":seq": {"N": str(head.seq)},
            ":hash": {"S": head.hash},
            ":time": {"S": head.recorded_at},
        },
    }
