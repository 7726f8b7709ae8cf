"""Rules: every reason at once, in a code and in words; refused before payment, recorded after it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_components.edgekit import config
from edge_components.pos.assignment import Assignment
from edge_components.pos.model import Basket
from edge_components.pos.requests import RefundRequest
from edge_components.pos.settings import Settings
from edge_components.pos.validation import Circumstances, RuleSettings, broken, hours
from edge_components.pos.validation.live import LiveRules
from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_selling import records

STORE = Assignment(
    thing="greentill-X",
    store="ST-1",
    store_name="Main Street",
    terminals=("T1",),
    currency="USD",
    currency_exponent=2,
    time_zone=ZoneInfo("America/New_York"),
    day_starts=clock_time(4),
    prices_include_tax=True,
    locale="en-US",
)


@dataclass(frozen=True)
class Product:
    description: str
    unit_price: str
    tax_code: str | None


def line(**changes: Any) -> dict[str, Any]:
    return {"sku": "1", "description": "Milk", "quantity": 2, "unit_price": "1.50", "total": 300, **changes}


def codes(at: Circumstances, kind: type[Basket] = Basket, **changes: Any) -> list[str]:
    body = {
        "terminal": "T1",
        "cashier": "C1",
        "currency": "USD",
        "lines": [line()],
        "totals": {"total": 300},
        **changes,
    }
    return [reason.code for reason in broken(kind.model_validate(body), at)]


def with_rules(**rules: Any) -> Circumstances:
    return Circumstances(STORE, rules=RuleSettings(**rules))


def test_a_basket_in_which_everything_is_right_breaks_nothing():
    assert codes(Circumstances(STORE)) == []


def test_every_broken_rule_is_told_at_once_with_its_place():
    at = replace(
        with_rules(max_quantity=Decimal(1), max_total=Decimal(2), tax_code_required=True), paired="T2"
    )
    body = Basket.model_validate(
        {
            "terminal": "T9",
            "cashier": "C1",
            "currency": "EUR",
            "lines": [line(total=299)],
            "payments": [{"method": "cash", "amount": 1}],
            "totals": {"total": 301},
        }
    )
    found = {reason.code: reason.path for reason in broken(body, at)}
    assert found == {
        "terminal_unknown": "/terminal",
        "terminal_differs": "/terminal",
        "currency_differs": "/currency",
        "tax_code_missing": "/lines/0/tax_code",
        "quantity_too_high": "/lines/0/quantity",
        "line_total_mismatch": "/lines/0/total",
        "sum_mismatch": "/totals/total",
        "payments_mismatch": "/payments",
        "total_too_high": "/totals/total",
    }


def test_reasons_are_words_that_a_cashier_understands():
    at = with_rules(max_total=Decimal("2.50"))
    body = {"terminal": "T1", "cashier": "C1", "currency": "USD", "lines": [line()], "totals": {"total": 300}}
    (reason,) = broken(Basket.model_validate(body), at)
    assert reason.message == "3.00 USD is more than the 2.50 USD allowed"


@pytest.mark.parametrize(
    ("rules", "changed", "code"),
    [
        ({"max_lines": 1}, {"lines": [line(total=150, quantity=1)] * 2}, "too_many_lines"),
        ({"max_quantity": Decimal("1.5")}, {}, "quantity_too_high"),
        ({"max_unit_price": Decimal("1.49")}, {}, "price_too_high"),
        ({"max_line_total": Decimal("2.99")}, {}, "line_total_too_high"),
        (
            {"payment_methods": ("card",)},
            {"payments": [{"method": "cash", "amount": 300}]},
            "payment_method_unknown",
        ),
        ({"manual_items": False}, {"lines": [line(sku="MANUAL")]}, "manual_item"),
        (
            {"max_discount_percent": Decimal(10)},
            {"lines": [line(quantity=3, discount=150)]},
            "discount_too_high",
        ),
        ({}, {"lines": [line(quantity=0, total=300, discount=-500)]}, "discount_exceeds_price"),
        ({}, {"lines": [line(quantity=1, discount=-150)]}, "discount_raises_price"),
        ({}, {"lines": [line(quantity=-2, total=-300)], "totals": {"total": -300}}, "total_negative"),
        ({}, {"lines": [], "totals": {"total": 0}}, "no_lines"),
    ],
)
def test_each_limit_has_its_reason(rules, changed, code):
    assert codes(with_rules(**rules), **changed) == [code]


@pytest.mark.parametrize(
    "rules",
    [
        {"max_lines": 1, "max_quantity": Decimal(2), "max_unit_price": Decimal("1.50")},
        {"max_line_total": Decimal(3), "max_total": Decimal(3), "max_discount_percent": Decimal(0)},
    ],
)
def test_a_limit_that_is_just_reached_is_no_reason(rules):
    assert codes(with_rules(**rules)) == []


def test_a_discount_of_just_what_is_allowed_is_no_reason():
    at = with_rules(max_discount_percent=Decimal(10))
    assert codes(at, lines=[line(quantity=2, total=270, discount=30)], totals={"total": 270}) == []


def test_tax_codes_must_have_a_rate_where_the_till_has_rates():
    at = Circumstances(STORE, tax_rates={"A": "0.2"})
    assert codes(at, lines=[line(tax_code="B")]) == ["tax_code_unknown"]
    assert codes(at, lines=[line(tax_code="A")]) == []


def test_goods_are_held_against_the_catalogue_where_there_is_one():
    products = {"1": Product("Milk", "1.50", "A"), "2": Product("Bread", "2.00", "A")}
    at = Circumstances(STORE, find=products.get)
    assert codes(at, lines=[line(tax_code="A")]) == []
    assert codes(at, lines=[line(sku="9")]) == ["sku_unknown"]
    assert codes(at, lines=[line(sku="2", tax_code="B")]) == ["price_differs", "tax_code_differs"]
    assert codes(at, lines=[line(sku="MANUAL")]) == []
    assert codes(replace(at, rules=RuleSettings(check_catalogue=False)), lines=[line(sku="9")]) == []


def test_a_refund_gives_back_what_was_paid_whatever_the_price_is_now():
    at = Circumstances(STORE, find={"1": Product("Milk", "1.80", None)}.get)
    refund = {
        "refund_id": sale()["sale_id"],
        "reason": "sour",
        "lines": [line(quantity=-2, total=-300)],
        "payments": [{"method": "cash", "amount": -300}],
        "totals": {"total": -300},
    }
    assert codes(at, RefundRequest, **refund) == []
    assert codes(at) == ["price_differs"]


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-11-23T06:59", False),  # a Monday
        ("2026-11-23T07:00", True),
        ("2026-11-23T12:30", False),
        ("2026-11-23T21:59", True),
        ("2026-11-23T22:00", False),
        ("2026-11-27T23:30", True),  # a Friday, open past midnight
        ("2026-11-28T01:59", True),
        ("2026-11-28T02:00", False),
        ("2026-11-29T12:00", False),  # closed on Sundays
    ],
)
def test_opening_hours_are_kept_in_the_stores_own_time(local, is_open):
    table = {"daily": "07:00-12:00,13:00-22:00", "fri": "07:00-02:00", "sat": "09:00-12:00", "sun": "closed"}
    at = with_rules(opening_hours=table)
    now = datetime.fromisoformat(local).replace(tzinfo=STORE.time_zone).astimezone(UTC)
    assert codes(replace(at, now=now)) == ([] if is_open else ["outside_opening_hours"])
    assert codes(at) == []  # a clock that nobody vouches for refuses nobody


def test_opening_hours_that_cannot_be_read_are_told_and_refuse_nobody():
    table = {"mon": "early", "noday": "07:00-08:00"}
    assert [problem.split(" ")[1] for problem in hours.problems(table)] == ["mon", "noday"]
    assert hours.is_open(table, datetime(2026, 11, 23, 3, tzinfo=UTC))


def test_rules_are_read_from_the_configuration_and_what_is_wrong_in_them_is_told():
    loaded = config.build(
        Settings,
        {"rules": {"max_total": "500.00", "max_lines": 12.0, "max_quantity": "many", "max_weight": 1}},
    )
    assert (loaded.settings.rules.max_total, loaded.settings.rules.max_lines) == (Decimal("500.00"), 12)
    assert loaded.settings.rules.max_quantity is None
    assert [problem.split(":")[0] for problem in loaded.problems] == ["rules", "rules"]
    assert config.build(Settings, {"rules": "strict"}).problems


def test_a_tax_rate_that_is_no_number_is_left_out_and_told(caplog):
    rules = LiveRules(Settings(tax_rates={"A": "0.2", "B": "a lot"}))
    assert rules.circumstances(STORE).tax_rates == {"A": "0.2"}
    assert "the tax rate of B is left out" in caplog.text


def configure(pos: Pos, **changes: Any) -> None:
    part = pos.folder / "configuration.part"
    part.write_text(json.dumps({**pos.configuration, **changes}))
    part.replace(pos.folder / "configuration.json")


def wait_until_check(pos: Pos, expected: list[str]) -> None:
    body = {key: value for key, value in sale().items() if key not in ("sale_id", "payments")}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        reasons = pos.client.post("/v1/baskets/check", json=body).json()["reasons"]
        if [reason["code"] for reason in reasons] == expected:
            return
        time.sleep(0.1)
    raise AssertionError(pos.log())


def test_changed_rules_hold_at_once_for_a_till_that_sells(selling):
    wait_until_check(selling, [])
    configure(selling, rules={"max_total": "2.00"})
    wait_until_check(selling, ["total_too_high"])
    accepted = selling.sell(sale())
    assert accepted.status_code == 201  # it has happened: recorded, with what was wrong
    assert [one["code"] for one in accepted.json()["exceptions"]] == ["total_too_high"]
    (selling.folder / "configuration.json").write_text("{ torn")
    assert [one["code"] for one in selling.sell(sale()).json()["exceptions"]] == ["total_too_high"]
    configure(selling)
    wait_until_check(selling, [])


def test_what_cannot_change_while_selling_is_told(selling):
    configure(selling, port=1, rules={"max_total": "2.00"})
    wait_until_check(selling, ["total_too_high"])
    assert "port changes with the next start" in selling.log()


def test_what_a_reason_repeats_hides_card_numbers(selling):
    configure(selling, rules={"max_quantity": "1"})
    wait_until_check(selling, ["quantity_too_high"])
    typed = line(description="card 4111 1111 1111 1111")
    assert selling.sell(sale(lines=[typed])).status_code == 201
    text = json.dumps(records(selling)[-1])
    assert "quantity_too_high" in text
    assert "4111 1111" not in text


def test_a_sale_rung_up_before_closing_time_may_arrive_after_it():
    at = with_rules(opening_hours={"daily": "07:00-22:00"})
    closed = datetime(2026, 11, 23, 23, tzinfo=STORE.time_zone)
    from edge_components.pos.model import SaleRequest

    def sold(when: datetime) -> list[str]:
        said = sale(sold_at=when.isoformat())
        return [one.code for one in broken(SaleRequest.model_validate(said), replace(at, now=closed))]

    assert sold(closed - timedelta(hours=2)) == []
    assert sold(closed) == ["outside_opening_hours"]


def test_the_recipe_offers_the_rules_that_there_are():
    recipe = json.loads((Path(__file__).parents[2] / "edge_components/pos/recipe.json").read_text())
    configured = recipe["ComponentConfiguration"]["DefaultConfiguration"]
    assert (
        config.build(Settings, {k: v for k, v in configured.items() if k != "accessControl"}).problems == ()
    )
