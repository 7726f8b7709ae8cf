"""The ledger against a plain model of it, and the rules that dates, epochs and masks keep."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_components.edgekit import record
from edge_components.edgekit.ledger import LedgerReader
from edge_components.pos import database, epochs
from edge_components.pos.assignment import Assignment, read
from edge_components.pos.clock import Clock, Moment, business_date
from edge_components.pos.errors import NotSellingError
from edge_components.pos.ledger import Ledger, Rejection
from edge_components.pos.masking import mask, passes_luhn
from edge_components.pos.model import SaleRequest
from edge_components.pos.opening import open_checked
from edge_components.pos.rules import Sale, prepare
from edge_components.pos.settings import Settings
from edge_components.pos.validation import Circumstances
from tests.pos.pos_process import ASSIGNMENT, sale

IDS = [f"01890a5d-ac96-774b-bcce-b302099a80{number:02d}" for number in range(12)]


class ScriptedClock(Clock):
    """Time that a test sets: it may jump either way."""

    def __init__(self) -> None:
        super().__init__()
        self.wall = 1_790_000_000_000_000_000
        self.monotonic = 1_000_000_000

    def now(self) -> Moment:
        self.wall += 1_000_000
        self.monotonic += 1_000_000
        return Moment(self.wall, self.monotonic)


def assignment_in(folder: Path, **changes: Any) -> Assignment:
    path = folder / "assignment.json"
    path.write_text(json.dumps({**ASSIGNMENT, **changes}))
    return read(path)


class LedgerAgainstModel(RuleBasedStateMachine):
    """Sales, repeats, conflicts, rejections, clock steps, rollbacks, restarts, moved cards, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-model-"))
        self.machine = 1
        self.clock = ScriptedClock()
        self.assignment = assignment_in(self.folder)
        self.known: dict[str, int] = {}  # sale_id to the amount that the model remembers
        self.expected = ["epoch_opened"]
        self.seen = (
            self.clock.wall - self.clock.monotonic
        )  # how the clocks stood to each other at the last record
        self.ledger = self.open()

    def open(self) -> Ledger:
        (self.folder / "machine-id").write_text(str(self.machine))
        configuration = Settings(data_dir=self.folder, machine_id_path=self.folder / "machine-id")
        return open_checked(configuration, self.assignment, self.clock)

    def sale(self, sale_id: str, amount: int) -> Sale:
        lines = [{"sku": "1", "quantity": 1, "total": amount}]
        payments = [{"method": "cash", "amount": amount}]
        body = sale(sale_id=sale_id, lines=lines, payments=payments, totals={"total": amount})
        return prepare(SaleRequest.model_validate(body), Circumstances(self.assignment))

    @rule(sale_id=st.sampled_from(IDS), amount=st.integers(1, 3), roll_back=st.booleans())
    def sell(self, sale_id: str, amount: int, roll_back: bool) -> None:
        before, connection = self.ledger.position, self.ledger.connection
        if roll_back:
            connection.execute("SAVEPOINT one")
            self.ledger.add(self.sale(sale_id, amount))
            connection.execute("ROLLBACK TO one; RELEASE one")
            self.ledger.restore(before)
            return
        outcome = self.ledger.add(self.sale(sale_id, amount))
        if sale_id in self.known:
            assert outcome.kind == ("repeat" if self.known[sale_id] == amount else "conflict")
            return
        assert outcome.kind == "new"
        self.known[sale_id] = amount
        self.written("sale")

    def written(self, kind: str) -> None:
        """A record follows a clock step if the clocks stood differently at the record before it."""
        offset = self.clock.wall - self.clock.monotonic
        self.expected += ["clock_step", kind] if self.seen != offset else [kind]
        self.seen = offset

    @rule()
    def reject(self) -> None:
        self.ledger.add_rejection(Rejection("0" * 64, 3, ({"code": "missing", "path": "/a"},)))
        self.written("rejection")

    @rule(days=st.sampled_from([-400, -1, 1, 2]))
    def step_clock(self, days: int) -> None:
        self.clock.wall += days * 86_400_000_000_000

    @rule(moved=st.booleans())
    def restart(self, moved: bool) -> None:
        self.ledger.connection.close()
        if moved:
            self.machine += 1
            self.expected.append("epoch_opened")
            self.seen = self.clock.wall - self.clock.monotonic
        self.ledger = self.open()

    @invariant()
    def the_file_is_what_the_model_says(self) -> None:
        with LedgerReader(self.folder / "ledger.db") as reader:
            found = [record.parse(row.record) for row in reader.after("", 0)]
        assert record.first_break(found) is None
        assert [one["kind"] for one in found] == self.expected
        assert {
            one["sale_id"]: one["body"]["totals"]["total"] for one in found if one["sale_id"]
        } == self.known
        receipts = [one["receipt_no"] for one in found if one["receipt_no"]]
        assert len(set(receipts)) == len(receipts)
        for epoch in {one["epoch"] for one in found}:
            mine = [one for one in found if one["epoch"] == epoch]
            numbers = [int(one["receipt_no"][-9:]) for one in mine if one["receipt_no"]]
            assert numbers == list(range(1, len(numbers) + 1))
            dates = [one["business_date"] for one in mine]
            assert dates == sorted(dates)

    def teardown(self) -> None:
        self.ledger.connection.close(force=True)
        shutil.rmtree(self.folder)


LedgerAgainstModel.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLedgerAgainstModel = LedgerAgainstModel.TestCase


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        ("2026-11-21T08:59:59", "2026-11-20"),  # 03:59:59 in New York: still yesterday's trading day
        ("2026-11-21T09:00:00", "2026-11-21"),
        ("2026-11-22T04:30:00", "2026-11-21"),
        ("2026-07-21T07:59:59", "2026-07-20"),  # daylight saving time
        ("2026-07-21T08:00:00", "2026-07-21"),
    ],
)
def test_the_trading_day_begins_at_the_stores_hour_in_the_stores_zone(tmp_path, utc, expected):
    moment = Moment(int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()) * 10**9, 0)
    assignment = assignment_in(tmp_path)
    assert business_date(moment, assignment, None) == expected
    assert business_date(moment, assignment, "2027-01-01") == "2027-01-01"


@given(st.integers(0, 2**62), st.none() | st.integers(0, 2**63).map(lambda number: f"{number:016x}"))
def test_an_epoch_comes_after_the_one_before_it_even_when_the_clock_is_behind(wall, after):
    epoch = epochs.new_epoch(wall, after)
    assert len(epoch) == 16
    assert after is None or epoch > after


def test_two_restores_of_one_card_in_the_same_millisecond_open_different_epochs():
    assert len({epochs.new_epoch(10**18, None) for _ in range(50)}) > 45


def luhn_number(digits: list[str]) -> str:
    return next("".join([*digits, str(last)]) for last in range(10) if passes_luhn([*digits, str(last)]))


digit_runs = st.lists(st.sampled_from("0123456789"), min_size=12, max_size=18)


@given(digit_runs, st.sampled_from(["", "card ", "№"]), st.sampled_from(["", " exp 12/29", "."]))
def test_every_card_number_is_hidden_wherever_it_stands(digits, before, after):
    number = luhn_number(digits)
    assert mask(before + number + after) == before + "*" * (len(number) - 4) + number[-4:] + after


@given(digit_runs)
def test_a_run_of_digits_that_is_no_card_number_stays(digits):
    number = luhn_number(digits)
    other = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert mask(other) == other


def test_a_sqlite_with_the_wal_reset_race_is_refused(monkeypatch):
    database.check_library()
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(NotSellingError, match=r"3\.51\.2 is older than 3\.51\.3"):
        database.check_library()


def test_the_pragmas_that_durability_rests_on_are_set_and_asserted(tmp_path, monkeypatch):
    connection = database.open_ledger(tmp_path / "ledger.db")
    assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)
    assert connection.pragma("wal_autocheckpoint") == 0
    connection.close()
    monkeypatch.setattr(database, "_PRAGMAS", (("synchronous", 7),))
    with pytest.raises(NotSellingError, match="synchronous"):
        database.open_ledger(tmp_path / "ledger.db")
