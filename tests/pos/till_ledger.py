"""A ledger in the test's own process, with a clock that the test sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_components.edgekit import record
from edge_components.edgekit.ledger import LedgerReader
from edge_components.pos.cash import CashMovement, DayClose
from edge_components.pos.clock import Clock, Moment
from edge_components.pos.ledger import Ledger, Outcome
from edge_components.pos.opening import open_checked
from edge_components.pos.rules import Sale
from edge_components.pos.settings import Settings
from tests.pos.pos_process import ASSIGNMENT
from tests.pos.test_pos_ledger_model import assignment_in

DAY = 86_400_000_000_000  # nanoseconds
NOON = 1_790_006_400_000_000_000  # 2026-09-21 12:00 in New York
__all__ = ["ASSIGNMENT", "DAY", "NOON", "LedgerInTest", "uuid"]


def uuid(number: int) -> str:
    return f"01890a5d-ac96-774b-bcce-{number:012d}"


class SetClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.wall = NOON
        self.step = 0  # of the wall clock alone
        self.trusted = True

    def now(self) -> Moment:
        self.wall += 1_000_000
        return Moment(self.wall + self.step, self.wall - NOON + DAY)

    def synchronized(self) -> bool:
        return self.trusted


class LedgerInTest:
    """Opens, fills and reads one ledger."""

    def __init__(self, folder: Path, **configuration: Any) -> None:
        self.folder = folder
        self.clock = SetClock()
        (folder / "machine-id").write_text("one")
        self.settings = Settings(data_dir=folder, machine_id_path=folder / "machine-id", **configuration)
        self.assignment = assignment_in(folder)
        self.count = 0
        self.ledger = self.open()

    def open(self) -> Ledger:
        return open_checked(self.settings, self.assignment, self.clock)

    def reopen(self) -> None:
        self.ledger.connection.close()
        self.ledger = self.open()

    def sell(self, amount: int = 100, terminal: str = "T1", **line: Any) -> dict[str, Any]:
        self.count += 1
        lines = [
            {
                "sku": "1",
                "description": "",
                "quantity": 1,
                "quantity_scale": 0,
                "unit_price": None,
                "discount": 0,
                "total": amount,
                "tax_code": None,
                "department": None,
                **line,
            }
        ]
        body: dict[str, Any] = {
            "currency": "USD",
            "lines": lines,
            "payments": [{"method": "cash", "amount": amount}],
            "totals": {"total": amount, "discount": 0, "tax": None, "tax_by_code": {}},
            "customer_ref": None,
            "sold_at": None,
        }
        return self.add(Sale(uuid(self.count), terminal, "C1", body, ()))

    def move(self, kind: str, amount: int) -> dict[str, Any]:
        self.count += 1
        body = {"kind": kind, "currency": "USD", "amount": amount, "reason": "r"}
        return self.add(CashMovement("cash_movement", uuid(self.count), "T1", "C1", body, ()))

    def close_day(self, counted: int | None = None) -> dict[str, Any]:
        self.count += 1
        return self.add(DayClose(uuid(self.count), "T1", "C1", counted, ()))

    def add(self, entry: Any) -> dict[str, Any]:
        with self.ledger.connection:
            outcome: Outcome = self.ledger.add(entry)
        assert outcome.kind == "new"
        return dict(outcome.record)

    def records(self) -> list[dict[str, Any]]:
        with LedgerReader(self.folder / "ledger.db") as reader:
            rows, position = [], ("", 0)
            while page := reader.after(*position):
                rows += [record.parse(row.record) for row in page]
                position = (page[-1].epoch, page[-1].seq)
        return rows

    def cursor(self, consumer: str, epoch: str, seq: int) -> None:
        cursors = self.folder / "cursors"
        cursors.mkdir(exist_ok=True)
        (cursors / f"{consumer}.json").write_text(json.dumps({"epoch": epoch, "seq": seq, "time": "t"}))
