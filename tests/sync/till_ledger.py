"""A ledger as docs/interfaces.md has it, grown record by record."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from edge_components.edgekit.record import ZERO_HASH, canonical, seal

SCHEMA = """
CREATE TABLE records(epoch TEXT, seq INTEGER, kind TEXT, sale_id TEXT, receipt_no TEXT, business_date TEXT,
    recorded_at TEXT, hash TEXT, record TEXT, PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);
"""


class TillLedger:
    def __init__(self, path: Path, thing: str) -> None:
        self.thing = thing
        self.records: list[dict[str, Any]] = []
        self._connection = apsw.Connection(str(path))
        self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        self._connection.execute(SCHEMA).fetchall()

    def open_epoch(self, epoch: str, **values: Any) -> None:
        self._append(epoch, 1, "epoch_opened", ZERO_HASH, {"reason": "new", "previous": None}, **values)

    def sell(self, count: int = 1, total: int = 1999, **values: Any) -> None:
        for _ in range(count):
            last = self.records[-1]
            body = {"currency": "USD", "lines": [], "payments": [], "totals": {"total": total}}
            self._append(
                last["epoch"],
                last["seq"] + 1,
                "sale",
                last["hash"],
                body,
                **({"sale_id": str(uuid.uuid4())} | values),
            )

    def _append(
        self, epoch: str, seq: int, kind: str, prev: str, body: dict[str, Any], **values: Any
    ) -> None:
        made = datetime(2026, 11, 21, 9, tzinfo=UTC) + timedelta(milliseconds=len(self.records))
        record = {
            "v": 1,
            "epoch": epoch,
            "seq": seq,
            "kind": kind,
            "thing": self.thing,
            "store": "ST-1",
            "terminal": "T1",
            "cashier": "c1",
            "sale_id": None,
            "receipt_no": None,
            "business_date": "2026-11-21",
            "recorded_at": made.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "clock_synchronized": True,
            "boot_id": "b",
            "monotonic_ns": seq,
            "catalogue_version": None,
            "body": body,
            "exceptions": [],
            "prev_hash": prev,
            **values,
        }
        sealed = seal(record)
        self.records.append(sealed)
        columns = ("kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")
        row = (epoch, seq, *(sealed[column] for column in columns), canonical(sealed).decode())
        self._connection.execute("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?)", row)

    def close(self) -> None:
        self._connection.close()
