"""What looks like a card number is shown to nobody, wherever somebody typed it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_kinds import refund
from tests.pos.test_pos_selling import records

CARD = "4111111111111111"
SHOWN = "************1111"


def typed(**changes: Any) -> dict[str, Any]:
    return {"sku": "MANUAL", "description": "x", "quantity": 2, "unit_price": "1.50", "total": 300, **changes}


@pytest.mark.parametrize(
    "line", [typed(description=CARD), typed(sku=CARD, description=""), typed(sku=CARD)], ids=str
)
def test_a_receipt_hides_a_card_number_that_was_typed_as_an_item(selling: Pos, line: dict[str, Any]) -> None:
    receipt = selling.sell(sale(lines=[line])).json()
    assert CARD not in json.dumps(receipt)
    number = receipt["receipt_no"]
    text = selling.client.get(f"/v1/receipts/{number}").json()["text"]
    assert not any(CARD in row for row in text)
    assert any(SHOWN in row for row in text) or line["description"] == "x"
    assert CARD.encode() not in selling.client.get(f"/v1/receipts/{number}/escpos").content


def test_neither_a_check_nor_a_refusal_nor_a_search_says_a_card_number_back(selling: Pos) -> None:
    basket = {key: value for key, value in sale().items() if key not in ("sale_id", "payments")}
    check = {**basket, "lines": [typed(sku=CARD, description="", total=1)]}
    reasons = selling.client.post("/v1/baskets/check", json=check).json()["reasons"]
    assert SHOWN in json.dumps(reasons)
    assert CARD not in json.dumps(reasons)
    sold = selling.sell(sale()).json()
    back = typed(sku=CARD, description="", quantity=-1, total=-150)
    refused = selling.client.post("/v1/refunds", json=refund(sold, lines=[back]))
    assert (refused.status_code, SHOWN in refused.text, CARD in refused.text) == (409, True, False)
    unknown = selling.client.get(f"/v1/catalogue/{CARD}")
    assert (unknown.status_code, SHOWN in unknown.text, CARD in unknown.text) == (404, True, False)


def test_a_department_is_free_text_too(selling: Pos) -> None:
    answer = selling.sell(sale(lines=[typed(department=f"card {CARD}")])).json()
    assert [one["code"] for one in answer["exceptions"]] == ["card_number_masked"]
    assert records(selling)[-1]["body"]["lines"][0]["department"] == f"card {SHOWN}"
