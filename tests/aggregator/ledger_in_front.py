"""A ledger in front of an aggregator, and sums made of its records by a way of their own."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw

from edge_components.edgekit.record import ZERO_HASH, canonical, seal

SCHEMA = """
CREATE TABLE records(epoch TEXT, seq INTEGER, kind TEXT, sale_id TEXT, receipt_no TEXT, business_date TEXT,
    recorded_at TEXT, hash TEXT, record TEXT, PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);
"""
THING = "greentill-TILL0001"
EPOCH = "00000000000000a1"
LATER = "00000000000000b2"
SIGNS = {"sale": 1, "refund": -1, "void": -1}


class GrowingLedger:
    """Appends records as pos would; `records` is all that was ever written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        self.connection = apsw.Connection(str(path))
        self.connection.execute("PRAGMA journal_mode = WAL").fetchall()
        self.connection.execute(SCHEMA).fetchall()

    def open_epoch(self, epoch: str = EPOCH, **values: Any) -> None:
        self.append("epoch_opened", {"reason": "new_ledger", "previous": None}, epoch=epoch, **values)

    def ring(
        self,
        kind: str = "sale",
        lines: Iterable[tuple[str | None, int]] = (("DAIRY", 300), ("BAKERY", 250)),
        payments: Iterable[tuple[str, int]] | None = None,
        currency: str = "USD",
        **values: Any,
    ) -> dict[str, Any]:
        """A sale, refund or void of these (department, amount) lines; amounts are given as sold."""
        sign = SIGNS[kind]
        lines = list(lines)
        total = sum(amount for _, amount in lines)
        body = {
            "currency": currency,
            "lines": [{"sku": "1", "department": name, "total": sign * amount} for name, amount in lines],
            "payments": [
                {"method": method, "amount": sign * amount}
                for method, amount in (payments if payments is not None else [("cash", total)])
            ],
            "totals": {"total": sign * total, "discount": 0, "tax": sign * (total // 10), "tax_by_code": {}},
        }
        return self.append(kind, body, **values)

    def append(
        self, kind: str, body: dict[str, Any], *, epoch: str | None = None, **values: Any
    ) -> dict[str, Any]:
        last = self.records[-1] if self.records else None
        epoch = epoch or (last["epoch"] if last else EPOCH)
        follows = last if last is not None and last["epoch"] == epoch else None
        record = seal(
            {
                "v": 1,
                "epoch": epoch,
                "seq": follows["seq"] + 1 if follows else 1,
                "kind": kind,
                "thing": THING,
                "store": "ST-1",
                "terminal": "T1",
                "cashier": "C1",
                "sale_id": None,
                "receipt_no": None,
                "business_date": "2026-11-21",
                "recorded_at": "2026-11-21T09:15:00.000000Z",
                "clock_synchronized": True,
                "boot_id": "b",
                "monotonic_ns": 1,
                "catalogue_version": None,
                "body": body,
                "exceptions": [],
                "prev_hash": follows["hash"] if follows else ZERO_HASH,
                **values,
            }
        )
        self.records.append(record)
        self.write(record)
        return record

    def write(self, record: dict[str, Any]) -> None:
        columns = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")
        row = (*(record[column] for column in columns), canonical(record).decode())
        self.connection.execute("INSERT INTO records VALUES(?,?,?,?,?,?,?,?,?)", row).fetchall()

    def drop_before(self, epoch: str, seq: int) -> None:
        """What retention does."""
        self.connection.execute("DELETE FROM records WHERE epoch = ? AND seq < ?", (epoch, seq)).fetchall()

    def drop_from(self, epoch: str, seq: int) -> None:
        """What a card that lies about its syncs does in a power cut."""
        self.connection.execute("DELETE FROM records WHERE epoch = ? AND seq >= ?", (epoch, seq)).fetchall()
        self.records = [one for one in self.records if (one["epoch"], one["seq"]) < (epoch, seq)]

    def close(self) -> None:
        self.connection.close()


def rollups_in(database: Path) -> dict[str, dict[str, Any]]:
    """The payloads of a rollups.db by bucket; each is canonical and agrees with its columns."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    found = {}
    for bucket, version, epoch, payload in connection.execute(
        "SELECT bucket, version, epoch, payload FROM rollups"
    ):
        content = json.loads(payload)
        assert canonical(content).decode() == payload
        assert (content["bucket"], content["version"], content["epoch"]) == (bucket, version, epoch)
        found[bucket] = content
    connection.close()
    return found


def expected(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the buckets must hold, column by column over all records at once: not the way the product goes."""
    found: dict[str, dict[str, Any]] = {}
    by_bucket: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if record["kind"] in SIGNS:
            by_bucket[record["epoch"], "hour", record["recorded_at"].partition(":")[0]].append(record)
            by_bucket[record["epoch"], "day", record["business_date"]].append(record)
    for (epoch, kind, period), members in by_bucket.items():
        of_kind = {
            kind: sum(one["body"]["totals"]["total"] for one in members if one["kind"] == kind)
            for kind in SIGNS
        }
        bodies = [one["body"] for one in members]
        found[f"{epoch}#{kind}#{period}"] = {
            "bucket": f"{epoch}#{kind}#{period}",
            "epoch": epoch,
            "kind": kind,
            "version": max(one["seq"] for one in members),
            "sales": of_kind["sale"],
            "refunds": of_kind["refund"],
            "voids": of_kind["void"],
            "net": sum(of_kind.values()),
            "tax": sum(body["totals"]["tax"] or 0 for body in bodies),
            "count": len(members),
            "by_terminal": _shares((one["terminal"], one["body"]["totals"]["total"]) for one in members),
            "by_department": _shares(
                (line["department"] or "", line["total"]) for body in bodies for line in body["lines"]
            ),
            "by_payment": _shares(
                (paid["method"], paid["amount"]) for body in bodies for paid in body["payments"]
            ),
            "by_currency": _shares((body["currency"], body["totals"]["total"]) for body in bodies),
        }
    return found


def _shares(pairs: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    pairs = list(pairs)
    counts = Counter(key for key, _ in pairs)
    return [
        {"key": key, "amount": sum(amount for name, amount in pairs if name == key), "count": counts[key]}
        for key in sorted(counts)
    ]
