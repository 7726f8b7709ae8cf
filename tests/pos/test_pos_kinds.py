"""Refunds, voids, cash, the drawer: what has happened is recorded once, what must not happen is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import uuid_utils

from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_selling import codes, records
from tests.pos.till_ledger import DAY, LedgerInTest


def new_id() -> str:
    return str(uuid_utils.uuid7())


def refund(receipt: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """One of the two cartons of milk that `sale()` sells, given back."""
    cited = receipt and {"thing": "greentill-X", **{key: receipt[key] for key in ("epoch", "seq", "hash")}}
    return {
        "refund_id": new_id(),
        "terminal": "T1",
        "cashier": "C1",
        "currency": "USD",
        "receipt": cited,
        "lines": [
            {"sku": "1001", "description": "Milk", "quantity": -1, "unit_price": "1.50", "total": -150}
        ],
        "payments": [{"method": "cash", "amount": -150}],
        "totals": {"total": -150},
        "reason": "sour",
        **changes,
    }


def void(sale_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "void_id": new_id(),
        "terminal": "T1",
        "cashier": "C1",
        "sale_id": sale_id,
        "reason": "typing error",
        **changes,
    }


def movement(**changes: Any) -> dict[str, Any]:
    return {
        "movement_id": new_id(),
        "terminal": "T1",
        "cashier": "C1",
        "currency": "USD",
        "amount": 10_000,
        "reason": "float",
        "kind": "float",
        **changes,
    }


def sell(pos: Pos) -> tuple[dict[str, Any], dict[str, Any]]:
    request = sale()
    answer = pos.sell(request)
    assert answer.status_code == 201
    return request, answer.json()


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_a_refund_of_a_sale_in_this_ledger_is_recorded_as_verified_and_once(selling):
    _, receipt = sell(selling)
    request = refund(receipt)
    first, again = (selling.client.post("/v1/refunds", json=request) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["receipt_no"].endswith("-000000002")
    written = records(selling)[-1]
    assert (written["kind"], written["body"]["verified"], written["exceptions"]) == ("refund", True, [])
    assert written["body"]["receipt"] == request["receipt"]
    other = selling.client.post("/v1/refunds", json={**request, "reason": "other"})
    assert (other.status_code, code(other)) == (409, "sale_id_taken")


def test_no_more_is_refunded_than_was_sold_however_it_is_split(selling):
    _, receipt = sell(selling)
    for _ in range(2):
        assert selling.client.post("/v1/refunds", json=refund(receipt)).status_code == 201
    third = selling.client.post("/v1/refunds", json=refund(receipt))
    assert (third.status_code, code(third)) == (409, "refund_exceeds_sale")
    said = {reason["path"]: reason["message"] for reason in third.json()["error"]["reasons"]}
    assert said == {
        "/lines/0": "of Milk, 0 for 0.00 USD is left to refund",
        "/totals/total": "of the sale, 0.00 USD is left to refund",
    }
    assert len(records(selling)) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"lines": [{"sku": "1001", "quantity": -3, "total": -150}]},
        {"lines": [{"sku": "1001", "quantity": -1, "total": -301}]},
        {"lines": [{"sku": "1001", "quantity": 1, "total": -150}]},
        {"lines": [{"sku": "2002", "quantity": -1, "total": -150}]},
        {"payments": [{"method": "cash", "amount": -30_000}]},
        {"totals": {"total": -30_000}},
    ],
    ids=str,
)
def test_a_refund_of_what_was_not_sold_is_refused_and_not_recorded(selling, change):
    _, receipt = sell(selling)
    answer = selling.client.post("/v1/refunds", json=refund(receipt, **change))
    assert (answer.status_code, code(answer)) == (409, "refund_exceeds_sale")
    assert len(records(selling)) == 2


def test_two_terminals_that_refund_the_same_goods_at_once_give_the_money_back_once(selling):
    _, receipt = sell(selling)
    line = {"sku": "1001", "quantity": -2, "total": -300}
    whole = {
        "lines": [line],
        "payments": [{"method": "cash", "amount": -300}],
        "totals": {"total": -300},
    }

    def give_back(_: int) -> int:
        with httpx.Client(base_url=selling.url, timeout=120, trust_env=False) as client:
            return client.post("/v1/refunds", json=refund(receipt, **whole)).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(give_back, range(6))) == [201, 409, 409, 409, 409, 409]


def test_weighed_goods_are_counted_across_scales(selling):
    lines = [{"sku": "7", "quantity": 1_500, "quantity_scale": 3, "unit_price": "2.00", "total": 300}]
    receipt = selling.sell(sale(lines=lines)).json()
    back = {"sku": "7", "quantity": -15, "quantity_scale": 1, "unit_price": "2.00", "total": -300}
    all_of_it = {"lines": [back], "payments": [{"method": "card", "amount": -300}], "totals": {"total": -300}}
    assert selling.client.post("/v1/refunds", json=refund(receipt, **all_of_it)).status_code == 201
    assert selling.client.post("/v1/refunds", json=refund(receipt, **all_of_it)).status_code == 409


def test_a_refund_without_its_sale_needs_a_supervisor(selling):
    foreign = {"thing": "greentill-Y", "epoch": "0" * 16, "seq": 1, "hash": "0" * 64}
    for receipt in (None, foreign):
        answer = selling.client.post("/v1/refunds", json={**refund(None), "receipt": receipt})
        assert (answer.status_code, code(answer)) == (403, "supervisor_needed")
    assert len(records(selling)) == 1


def test_a_refund_that_takes_money_is_no_refund(selling):
    _, receipt = sell(selling)
    answer = selling.client.post("/v1/refunds", json=refund(receipt, totals={"total": 150}))
    assert answer.status_code == 422
    assert records(selling)[-1]["kind"] == "rejection"


def test_a_void_turns_its_sale_round_and_names_it(selling):
    request, receipt = sell(selling)
    wanted = void(request["sale_id"].upper(), supervisor="S1")
    first, again = (selling.client.post("/v1/voids", json=wanted) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    sold, written = records(selling)[-2:]
    assert written["kind"] == "void"
    assert written["body"]["totals"]["total"] == -300
    assert written["body"]["lines"][0] == {**sold["body"]["lines"][0], "quantity": -2, "total": -300}
    assert written["body"]["payments"] == [{"method": "cash", "amount": -300}]
    assert written["body"]["voids"] == {
        key: receipt[key] for key in ("epoch", "seq", "hash", "sale_id", "receipt_no")
    }


def test_a_sale_is_taken_back_once_whether_by_void_or_refund(selling):
    request, receipt = sell(selling)
    assert selling.client.post("/v1/voids", json=void(request["sale_id"])).status_code == 201
    again = selling.client.post("/v1/voids", json=void(request["sale_id"]))
    assert (again.status_code, code(again)) == (409, "sale_reversed")
    assert code(selling.client.post("/v1/refunds", json=refund(receipt))) == "refund_exceeds_sale"
    request, receipt = sell(selling)
    assert selling.client.post("/v1/refunds", json=refund(receipt)).status_code == 201
    assert code(selling.client.post("/v1/voids", json=void(request["sale_id"]))) == "sale_reversed"


def test_what_this_till_has_not_sold_cannot_be_voided(selling):
    answer = selling.client.post("/v1/voids", json=void(new_id()))
    assert (answer.status_code, code(answer)) == (404, "sale_unknown")
    moved = movement()
    selling.client.post("/v1/cash-movements", json=moved)
    assert code(selling.client.post("/v1/voids", json=void(moved["movement_id"]))) == "sale_unknown"


def test_after_the_day_is_closed_a_sale_is_refunded_not_voided(selling):
    request, receipt = sell(selling)
    close = {"close_id": new_id(), "terminal": "T1", "cashier": "C1"}
    assert selling.client.post("/v1/day-close", json=close).status_code == 201
    answer = selling.client.post("/v1/voids", json=void(request["sale_id"]))
    assert (answer.status_code, code(answer)) == (409, "day_closed")
    assert selling.client.post("/v1/refunds", json=refund(receipt)).status_code == 201


def test_cash_movements_and_drawer_openings_are_recorded_once_each(selling):
    for kind, amount, recorded in [
        ("float", 10_000, "cash_movement"),
        ("in", 500, "cash_movement"),
        ("out", 300, "cash_movement"),
        ("no_sale", 0, "no_sale"),
    ]:
        request = movement(kind=kind, amount=amount)
        statuses = [selling.client.post("/v1/cash-movements", json=request).status_code for _ in range(2)]
        assert statuses == [201, 200]
        written = records(selling)[-1]
        assert (written["kind"], written["body"]["kind"], written["body"]["amount"]) == (
            recorded,
            kind,
            amount,
        )
    assert selling.client.post("/v1/cash-movements", json={**request, "amount": 5}).status_code == 409


def test_a_movement_that_breaks_a_rule_has_happened_and_says_so(selling):
    request = movement(kind="no_sale", amount=5, terminal="T9", currency="EUR")
    answer = selling.client.post("/v1/cash-movements", json=request)
    assert codes(answer) == ["terminal_unknown", "currency_differs", "no_sale_amount"]


@pytest.mark.parametrize("path", ["/v1/refunds", "/v1/voids", "/v1/cash-movements", "/v1/day-close"])
def test_what_is_no_request_of_its_kind_is_rejected_with_every_reason_and_recorded_as_such(selling, path):
    answer = selling.client.post(path, json={"terminal": 1})
    assert answer.status_code == 422
    assert len(answer.json()["error"]["reasons"]) >= 3
    assert [one["kind"] for one in records(selling)] == ["epoch_opened", "rejection"]


def test_one_id_is_one_record_whatever_its_kind(selling):
    request, _ = sell(selling)
    answer = selling.client.post("/v1/cash-movements", json=movement(movement_id=request["sale_id"]))
    assert (answer.status_code, code(answer)) == (409, "sale_id_taken")


def test_a_receipt_is_found_by_its_number_among_records_that_have_none(selling):
    numbers = []
    for index in range(40):
        if index % 3 == 0:
            body = f'{{"n": {index}}}'
            selling.client.post("/v1/sales", content=body, headers={"Content-Type": "application/json"})
        numbers.append(sell(selling)[1]["receipt_no"])
    for number in numbers:
        found = selling.client.get(f"/v1/receipts/{number}").json()
        assert found["receipt_no"] == number
    series = numbers[0].rpartition("-")[0]
    for unknown in (f"{series}-000000041", f"{series}-000000000", f"{series}-x", "AAAAAA-000000001", "x"):
        assert selling.client.get(f"/v1/receipts/{unknown}").status_code == 404


def test_a_reprint_says_what_was_sold_in_42_columns_and_cannot_steer_the_printer(selling):
    line = {"sku": "1", "description": "Evil\x1bp\x00\n" + "x" * 90, "quantity": 2, "unit_price": "1.50"}
    lines = [{**line, "total": 300}, {"sku": "2", "description": "日本茶" * 20, "quantity": 1, "total": 0}]
    receipt = selling.sell(sale(lines=lines)).json()
    found = selling.client.get(f"/v1/receipts/{receipt['receipt_no']}").json()
    assert found["delivered"] is False
    assert all(len(text) <= 42 and text.isprintable() for text in found["text"])
    assert any("TOTAL USD" in text and text.endswith("3.00") for text in found["text"])
    assert found["code"] == f"GT1:greentill-X:{receipt['epoch']}:{receipt['seq']}:{receipt['hash']}"


def test_the_printers_bytes_hold_the_text_the_code_and_open_the_drawer_for_cash_only(selling):
    _, receipt = sell(selling)
    path = f"/v1/receipts/{receipt['receipt_no']}"
    text, content = selling.client.get(path).json(), selling.client.get(f"{path}/escpos").content
    assert content.startswith(b"\x1b@")
    assert all(line.encode("cp858") in content for line in text["text"])
    data = b"0" + text["code"].encode()
    stored = b"\x1d(k" + (len(data) + 2).to_bytes(2, "little") + b"\x31\x50" + data
    assert stored in content
    assert b"\x1d(k\x03\x00\x31\x51\x30" in content
    drawer = b"\x1bp"
    assert drawer not in content
    assert drawer in selling.client.get(f"{path}/escpos?drawer=true").content
    card = selling.sell(sale(payments=[{"method": "card", "amount": 300}])).json()
    assert drawer not in selling.client.get(f"/v1/receipts/{card['receipt_no']}/escpos?drawer=true").content
    assert selling.client.get("/v1/receipts/AAAAAA-000000001/escpos").status_code == 404


def test_a_machine_that_has_been_up_for_more_than_104_days_sells(tmp_path):
    till = LedgerInTest(tmp_path)
    for _ in range(3):
        till.clock.wall += 90 * DAY  # and the monotonic clock with it
        till.sell()
        till.reopen()
    assert "clock_step" not in [one["kind"] for one in till.records()]


def test_a_step_of_the_clock_is_a_record_also_when_it_came_while_the_till_was_off(tmp_path):
    till = LedgerInTest(tmp_path)
    till.sell()
    till.ledger.connection.close()
    till.clock.step = -3 * DAY
    till.ledger = till.open()
    till.sell()
    step = till.records()[-2]
    assert step["kind"] == "clock_step"
    assert abs(step["body"]["milliseconds"] + 3 * DAY // 10**6) < 10
