"""X and Z reports, and the business date that a day close advances."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_components.pos.entries import EntryRefusedError
from edge_components.pos.lookup import TillReader
from tests.pos.pos_process import sale
from tests.pos.test_pos_kinds import movement, new_id, refund, void
from tests.pos.test_pos_selling import records
from tests.pos.till_ledger import DAY, LedgerInTest


def x_report(pos: Any, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = pos.client.get("/v1/reports/x", params=parameters).json()
    return found


def close(pos: Any, **changes: Any) -> Any:
    body = {"close_id": new_id(), "terminal": "T1", "cashier": "C1", **changes}
    return pos.client.post("/v1/day-close", json=body)


def test_reports_add_up_what_was_taken_by_tax_code_payment_method_and_department(pos):
    pos.configuration["tax_rates"] = {"A": "0.2"}
    pos.assign()
    pos.start()
    lines = [
        {"sku": "1", "quantity": 1, "total": 120, "tax_code": "A", "department": "Dairy"},
        {"sku": "2", "quantity": 1, "total": 80},
    ]
    payments = [{"method": "cash", "amount": 150}, {"method": "card", "amount": 50}]
    request = sale(lines=lines, payments=payments, totals={"total": 200})
    pos.sell(request)
    receipt = pos.sell(sale(terminal="T2")).json()
    pos.client.post("/v1/refunds", json=refund(receipt))
    pos.client.post("/v1/voids", json=void(request["sale_id"]))
    pos.client.post("/v1/cash-movements", json=movement(amount=10_000))
    pos.client.post("/v1/cash-movements", json=movement(kind="out", amount=4_000))
    pos.client.post("/v1/cash-movements", json=movement(kind="no_sale", amount=0))
    report = x_report(pos)
    assert report["totals"] == {"sales": 500, "refunds": -150, "voids": -200, "net": 150, "count": 4}
    assert report["tax"] == [{"code": "A", "base": 0, "tax": 0}]
    assert report["payments"] == [{"method": "card", "amount": 0}, {"method": "cash", "amount": 150}]
    assert report["departments"] == [
        {"department": None, "amount": 150},
        {"department": "Dairy", "amount": 0},
    ]
    assert report["cash"] == {"expected": 6_150, "counted": None, "difference": None}
    second = x_report(pos, terminal="T2")
    assert (second["totals"]["net"], second["totals"]["count"]) == (300, 1)
    assert second["first"] == second["last"] == {"epoch": receipt["epoch"], "seq": receipt["seq"]}
    assert x_report(pos, terminal="T9")["totals"]["count"] == 0


def test_a_day_close_is_the_z_report_and_what_follows_belongs_to_the_next_day(selling):
    before = selling.sell(sale()).json()
    assert selling.client.get(f"/v1/reports/z/{before['business_date']}").status_code == 404
    wanted = {"close_id": new_id(), "counted": 290}
    first, again = close(selling, **wanted), close(selling, **wanted)
    assert (first.status_code, again.status_code) == (201, 200)
    assert close(selling, **{**wanted, "counted": 1}).status_code == 409
    written = records(selling)[-1]
    assert written["body"]["cash"] == {"expected": 300, "counted": 290, "difference": -10}
    found = selling.client.get(f"/v1/reports/z/{before['business_date']}")
    assert found.json() == written["body"]
    after = selling.sell(sale()).json()
    assert after["business_date"] > before["business_date"]
    assert x_report(selling)["totals"]["sales"] == 300
    assert x_report(selling)["first"]["seq"] == after["seq"]
    assert x_report(selling)["business_date"] == after["business_date"]


def test_figures_and_the_closed_day_outlive_a_power_cut(selling):
    selling.sell(sale())
    day = close(selling).json()["business_date"]
    selling.sell(sale())
    report = x_report(selling)
    selling.kill()
    selling.start()
    assert x_report(selling) == report
    assert selling.sell(sale()).json()["business_date"] > day
    assert x_report(selling)["totals"] == {"sales": 600, "refunds": 0, "voids": 0, "net": 600, "count": 2}


def test_a_day_that_has_not_begun_cannot_be_closed_unless_the_clock_is_not_to_be_trusted(tmp_path):
    till = LedgerInTest(tmp_path)
    till.sell()
    till.close_day()
    till.sell()
    with pytest.raises(EntryRefusedError, match="has not begun"):
        till.close_day()
    till.clock.trusted = False
    assert till.close_day()["body"]["totals"]["sales"] == 100


def test_after_midnight_the_day_that_was_traded_is_closed_not_the_new_one(tmp_path):
    till = LedgerInTest(tmp_path)
    traded = till.sell()["business_date"]
    till.clock.wall += DAY
    closed = till.close_day()
    assert closed["body"]["business_date"] == traded < closed["business_date"]
    assert till.sell()["business_date"] == closed["business_date"]


def test_the_floor_of_a_closed_day_holds_after_a_restart(tmp_path):
    till = LedgerInTest(tmp_path)
    closed = till.close_day()
    till.reopen()
    assert till.sell()["business_date"] > closed["business_date"]


entries = st.lists(
    st.tuples(st.sampled_from(["sell", "close", "midnight", "cash", "restart"]), st.integers(0, 500)),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(entries)
def test_every_amount_is_in_exactly_one_report(tmp_path_factory, steps):
    till = LedgerInTest(tmp_path_factory.mktemp("reports"))
    rung_up, reported = Counter[str](), Counter[str]()
    for step, amount in steps:
        if step == "sell":
            department = "odd" if amount % 2 else "even"
            till.sell(amount, terminal=f"T{amount % 3}", department=department)
            rung_up[department] += amount
        elif step == "cash":
            till.move("in", amount)
        elif step == "midnight":
            till.clock.wall += DAY
        elif step == "restart":
            till.reopen()
        else:
            till.clock.trusted = False
            body = till.close_day()["body"]
            reported.update({one["department"]: one["amount"] for one in body["departments"]})
    with TillReader(till.folder / "ledger.db") as reader:
        for row in reader.open_figures():
            reported.update(row.figures["departments"])
    till.ledger.connection.close()
    assert +reported == +rung_up


def test_an_x_report_reads_a_few_rows_however_many_records_there_are(tmp_path: Path):
    till = LedgerInTest(tmp_path)
    for number in range(300):
        till.sell(number)
    with TillReader(tmp_path / "ledger.db") as reader:
        (row,) = reader.open_figures()
    assert (row.figures["count"], row.figures["sales"]) == (300, sum(range(300)))


def test_a_day_whose_figures_no_record_can_hold_is_closed_and_says_so(selling):
    """Or one terminal with a stuck key would keep every day from its end."""
    most = 10**12
    lines = [{"sku": "1", "quantity": 1, "total": most, "department": "Dairy"}] * 1_000
    for _ in range(10):
        assert selling.sell(sale(lines=lines, totals={"total": most})).status_code == 201
    assert close(selling).status_code == 201
    closed = records(selling)[-1]
    assert [one["code"] for one in closed["exceptions"]] == ["figures_too_large"]
    assert closed["body"]["departments"] == [{"department": "Dairy", "amount": 2**53 - 1}]
    assert closed["body"]["totals"]["sales"] == 10 * most
    assert selling.sell(sale()).status_code == 201
    assert x_report(selling)["totals"]["sales"] == 300
