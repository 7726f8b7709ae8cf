"""A day as CSV with exact amounts; a receipt followed from the terminal to the cloud."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge_components.edgekit import record
from edge_components.pos.epochs import series
from sales.explain import ExplainError, explain
from sales.export import LINES, RECORDS, ExportError, days, decimal, export, scaled
from tests.sales.chains import DAY, EPOCH, LATER, THING, chain
from tests.sales.ledgers import write_ledger

STORE = "ST-367"


def with_bodies(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chain again, with lines and payments, and receipts as pos numbers them."""
    made: list[dict[str, Any]] = []
    for content in records:
        changed = dict(content)
        if content["kind"] == "sale":
            total = content["body"]["totals"]["total"]
            changed["receipt_no"] = f"{series(content['epoch'])}-{content['seq'] - 1:09d}"
            changed["body"] = {
                **content["body"],
                "lines": [_line(total - 1), _line(1, description="=HYPERLINK(x)")],
                "payments": [{"method": "cash", "amount": total}],
                "totals": {"total": total, "discount": 5, "tax": 7},
            }
        changed["prev_hash"] = made[-1]["hash"] if made else record.ZERO_HASH
        made.append(record.seal({name: changed[name] for name in changed if name != "hash"}))
    return made


def _line(total: int, **changed: Any) -> dict[str, Any]:
    return {
        "sku": "820165",
        "description": "Milk",
        "quantity": 1250,
        "quantity_scale": 3,
        "unit_price": "0.333",
        "discount": 0,
        "total": total,
        "tax_code": "A",
        "department": "DAIRY",
        **changed,
    }


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return with_bodies(chain(sales=9))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_day_adds_up_to_the_cent_and_has_a_row_per_receipt(fleet, shelf, records, tmp_path: Path) -> None:
    shelf.deliver(records)
    [written] = [export(fleet, STORE, day, tmp_path) for day in days(DAY)]
    found = rows(written.path)
    assert tuple(found[0]) == RECORDS
    assert [row["receipt_no"] for row in found] == [one["receipt_no"] for one in records[1:]]
    assert (
        sum(Decimal(row["total"]) for row in found)
        == Decimal("54.00")
        == Decimal(written.totals["USD"]) / 100
    )
    assert found[0]["payments"] == "cash=2.00"
    assert (found[0]["tax"], found[0]["discount"], found[0]["hash"]) == ("0.07", "0.05", records[1]["hash"])


def test_lines_carry_quantities_and_prices_as_they_were(fleet, shelf, records, tmp_path: Path) -> None:
    shelf.deliver(records)
    found = rows(export(fleet, STORE, DAY, tmp_path, per_line=True).path)
    assert tuple(found[0]) == LINES
    assert len(found) == 18
    assert (found[0]["quantity"], found[0]["unit_price"], found[0]["total"]) == ("1.250", "0.333", "1.99")


def test_a_text_that_a_spreadsheet_would_run_is_only_shown(fleet, shelf, records, tmp_path: Path) -> None:
    shelf.deliver(records)
    found = rows(export(fleet, STORE, DAY, tmp_path, per_line=True).path)
    assert found[1]["description"] == "'=HYPERLINK(x)"


def test_another_stores_and_another_days_sales_stay_out(fleet, shelf, records, tmp_path: Path) -> None:
    shelf.deliver(records)
    assert export(fleet, "ST-1", DAY, tmp_path).records == 0
    assert export(fleet, STORE, "2026-11-19", tmp_path).records == 0


def test_a_changed_record_stops_the_export_and_leaves_no_file(fleet, shelf, records, tmp_path: Path) -> None:
    shelf.deliver(records)
    text = record.canonical(records[4]).decode().replace('"total":500', '"total":900')
    shelf.put_item(records[4], record={"S": text})
    with pytest.raises(ExportError, match="is not what it was"):
        export(fleet, STORE, DAY, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234, "USD", "12.34"),
        (-5, "USD", "-0.05"),
        (1234, "JPY", "1234"),
        (-1, "KWD", "-0.001"),
        (0, "USD", "0.00"),
    ],
)
def test_amounts_have_the_currencys_digits(amount: int, currency: str, text: str) -> None:
    assert decimal(amount, currency) == text


def test_no_digit_is_lost_however_large() -> None:
    assert scaled(-(2**53 - 1), 2) == "-90071992547409.91"


@pytest.mark.parametrize("text", ["yesterday", "2026-11-20..", "2026-11-20..2026-11-01", "2026-13-01"])
def test_dates_that_are_none_are_refused(text: str) -> None:
    if text == "2026-11-20..":
        assert days(text) == ["2026-11-20"]
    else:
        with pytest.raises(ExportError):
            days(text)


def hops(found) -> dict[str, bool | None]:
    return {hop.name: hop.there for hop in found.hops}


def test_a_receipt_that_arrived_is_followed_through_every_hop(fleet, shelf, records) -> None:
    shelf.deliver(records)
    found = explain(fleet, records[5]["receipt_no"])
    assert (found.thing, found.epoch, found.seq) == (THING, EPOCH, 6)
    assert hops(found) == dict.fromkeys(("terminal", "ledger", "table", "segment", "head"), True)
    times = {hop.name: hop.time for hop in found.hops}
    assert times["ledger"] == records[5]["recorded_at"]
    assert times["segment"] is not None
    assert found.complete
    assert "nothing is to be done" in found.conclusion


def test_each_receipt_of_each_epoch_is_found_by_its_number(fleet, shelf, records) -> None:
    later = with_bodies(chain(epoch=LATER, sales=5))
    shelf.deliver(records)
    shelf.deliver([record.seal({**one, "sale_id": f"b-{one['seq']}"}) for one in later])
    for content in (*records[1:], *later[1:]):
        found = explain(fleet, content["receipt_no"], till=THING)
        assert (found.epoch, found.seq) == (content["epoch"], content["seq"])


def test_what_waits_for_its_segment_is_on_its_way(fleet, shelf, records) -> None:
    shelf.register(THING)
    for content in records:
        shelf.put_item(content)
    found = explain(fleet, records[5]["receipt_no"])
    assert hops(found) == {"terminal": True, "ledger": True, "table": True, "segment": False, "head": False}
    assert "still open on the till" in found.conclusion


def test_what_the_head_passed_but_a_place_lacks_is_to_be_recovered(fleet, shelf, records) -> None:
    shelf.deliver(records)
    shelf.drop_item(records[5])
    found = explain(fleet, records[5]["receipt_no"])
    assert hops(found)["table"] is False
    assert hops(found)["segment"] is True
    assert "the table lacks it" in found.conclusion
    assert "greentill sales recover" in found.conclusion


def test_what_only_the_till_has_is_said_to_be_there(fleet, shelf, records, tmp_path: Path) -> None:
    shelf.deliver(records[:4])
    card = write_ledger(tmp_path / "ledger.db", records)
    found = explain(fleet, records[8]["receipt_no"], ledger=card)
    assert hops(found) == {"terminal": True, "ledger": True, "table": False, "segment": False, "head": False}
    assert "has not left the till" in found.conclusion
    without = explain(fleet, records[8]["receipt_no"])
    assert hops(without) == {"table": False, "segment": False, "head": False}


def test_a_number_of_no_epoch_is_misread_or_unheard(fleet, shelf, records) -> None:
    shelf.deliver(records)
    assert "misread" in explain(fleet, "ZZZZZZ-000000001").conclusion
    with pytest.raises(ExplainError, match="no receipt number"):
        explain(fleet, "hello")
