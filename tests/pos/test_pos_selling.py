"""What a terminal may rely on when it sells."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from edge_components.edgekit import record
from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import LedgerReader
from tests.pos.pos_process import Pos, sale

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/record.schema.json").read_text(encoding="utf-8"))
)


def records(pos: Pos):
    """Everything in the ledger, after checking that it is a chain of valid records."""
    with LedgerReader(pos.data / "ledger.db") as reader:
        rows, position = [], ("", 0)
        while page := reader.after(*position):
            rows += page
            position = (page[-1].epoch, page[-1].seq)
    found = [record.parse(row.record) for row in rows]
    assert record.first_break(found) is None
    for row, one in zip(rows, found, strict=True):
        SCHEMA.validate(one)
        assert record.canonical(one).decode() == row.record
        columns = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")
        assert {column: getattr(row, column) for column in columns} == {
            column: one[column] for column in columns
        }
    return found


def codes(answer: httpx.Response):
    return [one["code"] for one in answer.json()["exceptions"]]


def test_an_answered_sale_is_in_the_ledger_with_receipt_number_and_hash(selling):
    answer = selling.sell(request := sale())
    assert answer.status_code == 201
    opening, written = records(selling)
    assert (opening["kind"], opening["body"]) == ("epoch_opened", {"reason": "new_ledger", "previous": None})
    receipt = answer.json()
    assert {key: written[key] for key in receipt} == receipt
    assert receipt["sale_id"] == request["sale_id"]
    assert receipt["receipt_no"].endswith("-000000001")
    assert (written["thing"], written["store"]) == ("greentill-X", "ST-367")


def test_the_same_sale_sent_again_gets_the_same_receipt_and_is_recorded_once(selling):
    request = sale()
    first = selling.sell(request)
    explicit = {**request["lines"][0], "discount": 0, "quantity_scale": 0}
    again = selling.sell({**dict(reversed(request.items())), "lines": [explicit]})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(records(selling)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"cashier": "C2"},
        {"terminal": "T2"},
        {"totals": {"total": 301}},
        {"customer_ref": "x"},
        {"sold_at": "2026-11-21T10:00:00Z"},
    ],
    ids=str,
)
def test_a_sale_id_with_other_content_is_a_conflict_and_changes_nothing(selling, change):
    request = sale()
    selling.sell(request)
    answer = selling.sell({**request, **change})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "sale_id_taken"
    assert len(records(selling)) == 2


def test_what_cannot_be_interpreted_is_refused_with_every_reason_and_recorded_without_its_body(selling):
    secret = "4111111111111111"
    body = json.dumps({"sale_id": secret, "terminal": "T1", "lines": [{"sku": secret}], "totals": {}})
    headers = {"Content-Type": "application/json"}
    for _ in range(3):
        answer = selling.client.post("/v1/sales", content=body, headers=headers)
        assert answer.status_code == 422
    paths = {reason["path"] for reason in answer.json()["error"]["reasons"]}
    assert {"/sale_id", "/cashier", "/lines/0/total", "/totals/total", "/payments"} <= paths
    _, rejection = records(selling)
    assert rejection["kind"] == "rejection"
    assert {reason["path"] for reason in rejection["body"]["reasons"]} == paths
    assert secret not in json.dumps(rejection)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"sale_id":1.5}',
        b'{"a":1,"a":2}',
        json.dumps(sale(totals={"total": 3.0})).encode(),
        json.dumps(sale(totals={"total": 2**60})).encode(),
        json.dumps(sale(totals={"total": "300"})).encode(),
        json.dumps(sale(totals={"total": True})).encode(),
        json.dumps(sale(cashier="\ud800")).encode(),
        json.dumps(sale(sold_at="yesterday")).encode(),
        json.dumps(sale(currency="usd")).encode(),
    ],
    ids=lambda body: repr(body[-40:]),
)
def test_a_body_that_is_no_sale_never_costs_the_till_its_next_one(selling, body):
    answer = selling.client.post("/v1/sales", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["reasons"]
    assert selling.sell(sale()).status_code == 201
    assert [one["kind"] for one in records(selling)] == ["epoch_opened", "rejection", "sale"]


def test_a_body_that_is_too_large_or_not_json_by_its_type_is_not_read(selling):
    large = selling.sell(
        sale(lines=[{"sku": "1", "description": "x" * 100, "quantity": 1, "total": 1}] * 5_000)
    )
    assert large.status_code == 413
    plain = selling.client.post(
        "/v1/sales", content=json.dumps(sale()), headers={"Content-Type": "text/plain"}
    )
    assert plain.status_code == 415
    assert len(records(selling)) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"terminal": "T9"}, ["terminal_unknown"]),
        ({"currency": "EUR"}, ["currency_differs"]),
        ({"totals": {"total": 299}}, ["sum_mismatch", "payments_mismatch"]),
        ({"payments": []}, ["no_payment"]),
        ({"lines": []}, ["no_lines", "sum_mismatch"]),
        (
            {"lines": [{"sku": "1", "quantity": 3, "unit_price": "1.50", "total": 300}]},
            ["line_total_mismatch"],
        ),
        ({"sale_id": "01890a5d-ac96-474b-bcce-b302099a8057"}, ["sale_id_not_v7"]),
    ],
    ids=str,
)
def test_a_sale_that_breaks_a_rule_has_happened_and_is_recorded_with_the_exception(selling, change, expected):
    answer = selling.sell(sale(**change))
    assert answer.status_code == 201
    assert codes(answer) == expected
    assert [one["code"] for one in records(selling)[-1]["exceptions"]] == expected


def test_real_baskets_are_fine_quantity_zero_tens_of_thousands_prices_that_do_not_divide_and_161_lines(
    selling,
):
    lines: list[dict[str, Any]] = [
        {"sku": "1", "quantity": 0, "unit_price": "9.99", "total": 50},
        {"sku": "2", "quantity": 89_638, "unit_price": "0.0025", "total": 22_410},
        {"sku": "3", "quantity": 3, "unit_price": "0.333333", "total": 100},
        {
            "sku": "4",
            "quantity": 1_250,
            "quantity_scale": 3,
            "unit_price": "3.99",
            "discount": 99,
            "total": 400,
        },
        *({"sku": str(number), "quantity": 1, "unit_price": "1.00", "total": 100} for number in range(157)),
    ]
    total = sum(line["total"] for line in lines)
    answer = selling.sell(
        sale(lines=lines, totals={"total": total}, payments=[{"method": "card", "amount": total}])
    )
    assert (answer.status_code, codes(answer)) == (201, [])
    assert len(records(selling)[-1]["body"]["lines"]) == 161
    assert records(selling)[-1]["body"]["totals"]["discount"] == 99


def test_a_card_number_in_free_text_is_hidden_and_a_barcode_is_not(selling):
    line = {"description": "paid by 4111 1111 1111 1111", "quantity": 2, "total": 300}
    request = sale(lines=[{"sku": "4006381333931", **line}], customer_ref="5555555555554444")
    answer = selling.sell(request)
    assert codes(answer) == ["card_number_masked"] * 2
    body = records(selling)[-1]["body"]
    assert body["lines"][0]["description"] == "paid by **** **** **** 1111"
    assert body["customer_ref"] == "************4444"
    assert body["lines"][0]["sku"] == "4006381333931"
    assert selling.sell(request).status_code == 200


def test_tax_is_recorded_per_code_on_the_sum_by_the_rates_of_the_configuration(pos):
    pos.configuration["tax_rates"] = {"A": "0.2"}
    pos.assign()
    pos.start()
    lines = [{"sku": str(n), "quantity": 1, "total": 333, "tax_code": code} for n, code in enumerate("AABB")]
    request = sale(lines=lines, totals={"total": 1332}, payments=[{"method": "cash", "amount": 1332}])
    assert codes(pos.sell(request)) == ["tax_code_unknown"] * 2
    assert records(pos)[-1]["body"]["totals"]["tax_by_code"] == {"A": {"base": 555, "tax": 111}}


def test_checking_a_basket_gives_every_reason_at_once_and_records_nothing(selling):
    basket = {key: value for key, value in sale().items() if key not in ("sale_id", "payments")}
    assert selling.client.post("/v1/baskets/check", json=basket).json() == {"ok": True, "reasons": []}
    wrong = selling.client.post("/v1/baskets/check", json={**basket, "terminal": "T9", "currency": "EUR"})
    assert [reason["code"] for reason in wrong.json()["reasons"]] == ["terminal_unknown", "currency_differs"]
    assert wrong.json()["ok"] is False
    assert len(selling.client.post("/v1/baskets/check", json={}).json()["reasons"]) == 5
    assert len(records(selling)) == 1


def test_concurrent_terminals_get_numbers_without_gaps_and_one_sale_sent_by_all_is_recorded_once(selling):
    shared = sale()

    def ring_up(terminal: int):
        with httpx.Client(base_url=selling.url, timeout=120, trust_env=False) as client:
            answers = [client.post("/v1/sales", json=sale(cashier=f"C{terminal}")) for _ in range(40)]
            return [*answers, client.post("/v1/sales", json=shared)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for part in pool.map(ring_up, range(8)) for answer in part]
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(200)) == (321, 7)
    sales = records(selling)[1:]
    assert [one["seq"] for one in sales] == list(range(2, 323))
    assert [int(one["receipt_no"][-9:]) for one in sales] == list(range(1, 322))
    assert {answer.json()["hash"] for answer in answers} == {one["hash"] for one in sales}


def test_a_sale_can_be_looked_up_and_tells_whether_the_cloud_has_it(selling):
    receipt = selling.sell(request := sale()).json()
    path = f"/v1/sales/{request['sale_id']}"
    assert selling.client.get(path).json()["delivered"] is False
    cursors = selling.data / "cursors"
    cursors.mkdir()
    write_json(cursors / "sync.json", {"epoch": receipt["epoch"], "seq": receipt["seq"], "time": "t"})
    found = selling.client.get(path).json()
    assert found.pop("delivered") is True
    assert found == records(selling)[-1]
    assert selling.client.get(f"/v1/sales/{sale()['sale_id']}").status_code == 404


def test_health_counts_what_waits_for_the_cloud(selling):
    assert selling.health()["backlog"] == 1  # the opening of its epoch: nothing is known to be delivered
    answers = [selling.sell(sale()).json() for _ in range(3)]
    cursors = selling.data / "cursors"
    cursors.mkdir()
    write_json(cursors / "sync.json", {"epoch": answers[0]["epoch"], "seq": answers[0]["seq"], "time": "t"})
    health = selling.health()
    assert (health["backlog"], health["records"], health["seq"]) == (2, 4, 4)
    assert health["oldest_undelivered_seconds"] >= 0
    assert (health["thing"], health["store"], health["version"]) == ("greentill-X", "ST-367", "1.0.0")
    write_json(cursors / "sync.json", {"epoch": answers[2]["epoch"], "seq": answers[2]["seq"], "time": "t"})
    assert (selling.health()["backlog"], selling.health()["oldest_undelivered_seconds"]) == (0, 0)
    (cursors / "sync.json").write_text("{")
    assert selling.health()["backlog"] is None  # sync has said something, and nobody knows what


def test_openapi_describes_what_is_sent_and_answered(selling):
    document = selling.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"SaleRequest", "Basket", "Line", "Receipt", "Health", "ErrorAnswer"} <= set(schemas)
    post = document["paths"]["/v1/sales"]["post"]
    assert set(post["responses"]) >= {"201", "200", "409", "413", "422", "503"}
    reference = post["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    Draft202012Validator({**document, "$ref": reference}).validate(sale())
