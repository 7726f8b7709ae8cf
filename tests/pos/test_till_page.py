"""The till page in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from edge_components.edgekit.files import write_json
from tests.pos.pos_process import Pos
from tests.pos.test_pos_selling import records

pytestmark = pytest.mark.browser


def ring_up(page: Page) -> None:
    page.get_by_role("button", name="Sourdough loaf").click()
    page.get_by_role("button", name="Avocado").click()
    page.get_by_role("button", name="One more: Avocado").click()


def pay(page: Page, key: str) -> None:
    page.keyboard.press(key)
    page.keyboard.press("Enter")


def sales(pos: Pos):
    return [one for one in records(pos) if one["kind"] == "sale"]


def test_a_cash_sale_is_recorded_as_it_was_rung_up(page, selling):
    ring_up(page)
    expect(page.locator("#total")).to_have_text("$8.00")
    page.get_by_role("button", name="Cash", exact=False).and_(page.locator("#cash")).click()
    page.locator("#received").fill("20")
    expect(page.locator("#change")).to_have_text("$12.00")
    page.get_by_role("button", name="Paid").click()
    expect(page.locator("#safety")).to_have_text("Safe on this till")
    (recorded,) = sales(selling)
    expect(page.locator("#receipt")).to_contain_text(recorded["receipt_no"])
    expect(page.locator("#receipt")).to_contain_text("Change$12.00")
    assert recorded["exceptions"] == []
    assert recorded["sale_id"][14] == "7"
    assert recorded["body"]["payments"] == [{"method": "cash", "amount": 800}]
    assert [(line["sku"], line["quantity"]) for line in recorded["body"]["lines"]] == [
        ("2001", 1),
        ("3004", 2),
    ]


def test_a_lost_answer_is_asked_for_again_with_the_same_sale_and_counts_once(page, selling):
    seen: list[str] = []

    def lose_two_answers(route: Route) -> None:
        seen.append(json.loads(route.request.post_data or "{}")["sale_id"])
        if len(seen) > 2:
            route.continue_()
            return
        route.fetch()  # the till records it, and the answer is lost on the way
        route.abort()

    page.route("**/v1/sales", lose_two_answers)
    ring_up(page)
    pay(page, "F9")
    expect(page.locator("#sending-title")).to_have_text("The till has not answered yet")
    expect(page.locator("#safety")).to_have_text("Safe on this till")
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert [one["sale_id"] for one in sales(selling)] == seen[:1]


def test_a_reload_between_payment_and_answer_sends_the_same_sale(page, selling):
    page.route("**/v1/sales", lambda route: route.abort())
    ring_up(page)
    pay(page, "F8")
    expect(page.locator("#sending-title")).to_have_text("The till has not answered yet")
    kept = json.loads(page.evaluate("localStorage['greentill.pending']"))
    page.unroute("**/v1/sales")
    page.reload()
    expect(page.locator("#safety")).to_have_text("Safe on this till")
    assert [one["sale_id"] for one in sales(selling)] == [kept["body"]["sale_id"]]


def test_a_basket_outlives_a_reload_and_a_till_that_is_down(page, selling):
    ring_up(page)
    selling.kill()
    expect(page.locator("#state")).to_have_attribute("data-state", "down")
    selling.start()
    expect(page.locator("#state")).not_to_have_attribute("data-state", "down")
    page.reload()
    expect(page.locator("#total")).to_have_text("$8.00")


def test_the_state_line_tells_where_the_sales_are(page, selling):
    state = page.locator("#state")
    expect(state).to_have_attribute("data-state", "offline")
    ring_up(page)
    pay(page, "F8")
    expect(page.locator("#safety")).to_have_text("Safe on this till")
    epoch, seq = selling.health()["epoch"], selling.health()["seq"]
    (selling.data / "cursors").mkdir()
    write_json(selling.data / "cursors" / "sync.json", {"epoch": epoch, "seq": seq, "time": "t"})
    expect(page.locator("#safety")).to_have_text("In the cloud")
    expect(state).to_have_text("SellingEvery sale is in the cloud.")
    expect(state).to_have_attribute("data-state", "online")


def test_what_a_product_is_called_never_becomes_part_of_the_page(browser, selling):
    name = "<img src=x onerror=document.title='owned'> & \"quotes\""
    product = {"sku": "1", "description": name, "unit_price": "1.00", "department": "<b>Odd</b>"}
    (selling.data / "products.json").write_text(json.dumps([product]))
    page = browser.new_page()
    page.goto(selling.url)
    page.locator(".product").click()
    expect(page.locator("#lines li span")).to_have_text(name)
    assert page.locator("img").count() == 0
    assert page.title() == "Main Street till"
    page.close()


def test_an_item_can_be_entered_by_hand_and_with_the_keyboard_alone(page, selling):
    page.keyboard.press("F2")
    page.keyboard.type("Gift wrap")
    page.keyboard.press("Tab")
    page.keyboard.type("2,5")
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_have_text("$2.50")
    pay(page, "F9")
    expect(page.locator("#safety")).to_have_text("Safe on this till")
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_be_hidden()
    (recorded,) = sales(selling)
    assert (recorded["body"]["lines"][0]["description"], recorded["body"]["totals"]["total"]) == (
        "Gift wrap",
        250,
    )


def test_the_page_loads_nothing_from_elsewhere_and_lets_nothing_else_run(selling):
    answer = selling.client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    folder = Path(__file__).parents[2] / "edge_components/pos/page"
    files = [file for file in folder.rglob("*.*s*") if file.suffix in (".js", ".css", ".html", ".svg")]
    assert len(files) > 20
    for file in files:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https://" not in text
        assert "innerHTML" not in text
