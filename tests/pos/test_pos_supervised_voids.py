"""A void gives money back as a refund does: where the till knows its cashiers, a supervisor allows it."""

from __future__ import annotations

from typing import Any

import pytest

from edge_components.pos.access.access import cashiers_path
from edge_components.pos.access.cashiers import Cashier, save
from edge_components.pos.access.pins import Pins
from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_kinds import void
from tests.pos.test_pos_selling import records
from tests.waiting import wait_for


@pytest.fixture
def staffed(selling: Pos) -> Pos:
    """A till that knows a cashier and a supervisor."""
    pins = Pins()
    for name, role in (("C1", "cashier"), ("S1", "supervisor")):
        save(cashiers_path(selling.data), Cashier(name, name, role, pins.hash("4711")))
    pins.close()
    return selling


def answer(pos: Pos, sold: dict[str, Any], **changes: Any) -> tuple[int, str | None]:
    found = pos.client.post("/v1/voids", json=void(sold["sale_id"], **changes))
    return found.status_code, found.json().get("error", {}).get("code")


def sold(pos: Pos) -> dict[str, Any]:
    body = sale()
    assert pos.sell(body).status_code == 201
    return body


def sign_in(pos: Pos, cashier: str) -> None:
    signed = pos.client.post("/v1/cashiers/sign-in", json={"cashier": cashier, "pin": "4711"})
    assert signed.status_code == 200


def test_a_cashier_alone_voids_nothing_and_a_supervisor_who_signed_in_allows_it(staffed: Pos) -> None:
    rung_up = sold(staffed)
    refused = (403, "supervisor_needed")
    assert answer(staffed, rung_up) == refused
    assert answer(staffed, rung_up, supervisor="S1") == refused  # who has not signed in
    sign_in(staffed, "C1")
    assert answer(staffed, rung_up, supervisor="C1") == refused
    assert records(staffed)[-1]["kind"] == "sale"
    sign_in(staffed, "S1")
    allowed = void(rung_up["sale_id"], supervisor="S1")
    assert [staffed.client.post("/v1/voids", json=allowed).status_code for _ in range(2)] == [201, 200]
    assert records(staffed)[-1]["body"]["supervisor"] == "S1"


def test_the_store_sets_what_a_cashier_may_void_alone_and_the_page_is_told(staffed: Pos) -> None:
    def alone() -> int | None:
        found: int | None = staffed.client.get("/v1/till").json()["void_alone"]
        return found

    assert alone() == 0
    staffed.configure(rules={"max_void_alone": "2.99"})
    wait_for(lambda: alone() == 299, staffed.log)
    assert answer(staffed, sold(staffed)) == (403, "supervisor_needed")
    staffed.configure(rules={"max_void_alone": "3.00"})
    wait_for(lambda: alone() == 300, staffed.log)
    assert answer(staffed, sold(staffed)) == (201, None)
    staffed.configure(rules={"void_needs_supervisor": False})
    wait_for(lambda: alone() is None, staffed.log)
    assert answer(staffed, sold(staffed)) == (201, None)


def test_money_that_goes_out_and_in_again_is_not_set_off(staffed: Pos) -> None:
    """Or cash for a voucher, which comes to nothing, could be undone by anybody."""
    staffed.configure(rules={"max_void_alone": "3.00"})
    wait_for(lambda: staffed.client.get("/v1/till").json()["void_alone"] == 300, staffed.log)
    body = sale(
        lines=[{"sku": "1", "quantity": 1, "total": 0}],
        payments=[{"method": "cash", "amount": -10_000}, {"method": "voucher", "amount": 10_000}],
        totals={"total": 0},
    )
    assert staffed.sell(body).status_code == 201
    assert answer(staffed, body) == (403, "supervisor_needed")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cashiers": 5}', '{"cashiers": null}'])
def test_a_list_of_cashiers_that_is_spoiled_lets_nobody_do_more_than_before(
    staffed: Pos, content: str
) -> None:
    rung_up = sold(staffed)
    assert answer(staffed, rung_up) == (403, "supervisor_needed")
    cashiers_path(staffed.data).write_text(content)
    assert answer(staffed, rung_up) == (403, "supervisor_needed")
    sign_in(staffed, "S1")
    assert answer(staffed, rung_up, supervisor="S1") == (201, None)


def test_a_till_that_knows_no_cashiers_asks_for_no_supervisor(selling: Pos) -> None:
    assert selling.client.get("/v1/till").json()["void_alone"] is None
    assert answer(selling, sold(selling)) == (201, None)


def test_what_cannot_be_voided_at_all_needs_no_supervisor_to_say_so(staffed: Pos) -> None:
    rung_up = sold(staffed)
    sign_in(staffed, "S1")
    assert answer(staffed, rung_up, supervisor="S1") == (201, None)
    assert answer(staffed, rung_up) == (409, "sale_reversed")
