"""Chains of real records, and a cloud (moto's) that holds them as sync leaves them there."""

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from edge_components.edgekit import keys, record

THING = "greentill-LAB00001"
EPOCH = "018f00000000aaaa"
LATER = "018f00000000bbbb"
DAY = "2026-11-20"


def chain(
    thing: str = THING,
    epoch: str = EPOCH,
    sales: int = 9,
    *,
    previous: dict[str, Any] | None = None,
    day: str = DAY,
) -> list[dict[str, Any]]:
    """An epoch's first record and `sales` sales of 1.00, 2.00, ..."""
    made: list[dict[str, Any]] = []
    for seq in range(1, sales + 2):
        body = {"reason": "new ledger", "previous": previous} if seq == 1 else sale_body(seq * 100)
        made.append(
            record.seal(
                {
                    "v": 1,
                    "epoch": epoch,
                    "seq": seq,
                    "kind": "epoch_opened" if seq == 1 else "sale",
                    "thing": thing,
                    "store": "ST-367",
                    "terminal": None if seq == 1 else "T1",
                    "cashier": None if seq == 1 else "C1",
                    "sale_id": None if seq == 1 else f"{thing}-{epoch}-{seq}",
                    "receipt_no": None if seq == 1 else f"A-{seq - 1:09d}",
                    "business_date": day,
                    "recorded_at": f"{day}T12:00:{seq:02d}.000000Z",
                    "clock_synchronized": True,
                    "boot_id": "boot",
                    "monotonic_ns": seq,
                    "catalogue_version": None,
                    "body": body,
                    "exceptions": [],
                    "prev_hash": made[-1]["hash"] if made else record.ZERO_HASH,
                }
            )
        )
    return made


def sale_body(total: int) -> dict[str, Any]:
    return {"currency": "USD", "lines": [], "payments": [], "totals": {"total": total, "discount": 0}}


def item(content: dict[str, Any]) -> dict[str, Any]:
    """The item in the sales table, as docs/interfaces.md has it."""
    names = (
        "epoch",
        "hash",
        "prev_hash",
        "kind",
        "store",
        "business_date",
        "sale_id",
        "receipt_no",
        "recorded_at",
    )
    held = {name: {"S": content[name]} for name in names if content[name] is not None}
    return {
        "pk": {"S": content["thing"]},
        "sk": {"S": keys.sort_key(content["epoch"], content["seq"], content["hash"])},
        "seq": {"N": str(content["seq"])},
        "store_date": {"S": f"{content['store']}#{content['business_date']}"},
        "record": {"S": record.canonical(content).decode()},
        **held,
    }


def segment(records: list[dict[str, Any]]) -> tuple[str, bytes]:
    first, last = records[0], records[-1]
    key = keys.segment_key(
        last["business_date"],
        last["thing"],
        last["epoch"],
        first=first["seq"],
        last=last["seq"],
        last_hash=last["hash"],
    )
    return key, gzip.compress(b"".join(record.canonical(one) + b"\n" for one in records), mtime=0)


@dataclass
class Shelf:
    """A sales table, a bucket and a registry, and the ways in which they can go wrong."""

    dynamodb: Any
    s3: Any
    table: str
    bucket: str
    registry: str
    segments: dict[str, bytes] = field(default_factory=dict)

    def register(self, thing: str) -> None:
        self.dynamodb.put_item(TableName=self.registry, Item={"thing": {"S": thing}})

    def deliver(self, records: list[dict[str, Any]], per_segment: int = 4) -> None:
        """All of it, to both places, with its head: what sync does."""
        self.register(records[0]["thing"])
        for content in records:
            self.put_item(content)
        for start in range(0, len(records), per_segment):
            self.put_segment(*segment(records[start : start + per_segment]))
        self.put_head(records[-1])

    def put_item(self, content: dict[str, Any], **changed: Any) -> None:
        self.dynamodb.put_item(TableName=self.table, Item={**item(content), **changed})

    def drop_item(self, content: dict[str, Any]) -> None:
        key = {name: item(content)[name] for name in ("pk", "sk")}
        self.dynamodb.delete_item(TableName=self.table, Key=key)

    def put_segment(self, key: str, body: bytes) -> None:
        self.segments[key] = body
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def drop_segment(self, key: str) -> None:
        del self.segments[key]
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def put_head(self, content: dict[str, Any]) -> None:
        self.dynamodb.put_item(
            TableName=self.table,
            Item={
                "pk": {"S": content["thing"]},
                "sk": {"S": keys.HEAD},
                "epoch": {"S": content["epoch"]},
                "seq": {"N": str(content["seq"])},
                "hash": {"S": content["hash"]},
                "time": {"S": content["recorded_at"]},
            },
        )


def journal_line(content: dict[str, Any], **changed: Any) -> str:
    entry = {
        "basket_id": content["seq"],
        "store_id": 367,
        "total": content["body"]["totals"]["total"],
        "sale_id": content["sale_id"],
        "thing": content["thing"],
        "terminal": "T1",
        "outcome": "acknowledged",
        "online": True,
        "attempts": 1,
        "latency": 0.003,
        "waited": 0.003,
        "epoch": content["epoch"],
        "seq": content["seq"],
        "hash": content["hash"],
        "receipt_no": content["receipt_no"],
    }
    return json.dumps({**entry, **changed})
