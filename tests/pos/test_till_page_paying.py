"""Paying in parts, labels of the shop's scales, printing, and what must not be shown, on the till page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pos.pos_process import Pos, sale
from tests.pos.receipt_printer import ReceiptPrinter
from tests.pos.till_page import CONTRAST, of_kind, pay, scan, signed_in
from tests.waiting import wait_for

pytestmark = pytest.mark.browser
PRODUCTS = [
    {"sku": "10", "description": "Milk", "unit_price": "1.50", "department": "Dairy"},
    {"sku": "345", "description": "Minced beef", "unit_price": "12.90", "sold_by": "weight"},
    {"sku": "77", "description": "Cake of the day", "unit_price": "3.00"},
]
PATTERNS = ["21IIIIIPPPPPC", "28IIIIIWWWWWC", "02IIIIIPPPPPC", "2IIIIIPPPPC"]


@pytest.fixture
def printer() -> Iterator[ReceiptPrinter]:
    with ReceiptPrinter() as found:
        yield found


@pytest.fixture
def pos(tmp_path: Path) -> Iterator[Pos]:
    rules = {"payment_methods": ["cash", "card", "voucher"]}
    till = Pos(tmp_path, rules=rules, barcode_patterns=PATTERNS)
    (till.data / "products.json").write_text(json.dumps(PRODUCTS))
    yield till
    till.kill()
    till.client.close()


def labelled(digits: str) -> str:
    """The first 12 digits of an EAN with its check digit."""
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return digits + str(-total % 10)


def printing(pos: Pos, printer: ReceiptPrinter, page: Page, **settings: object) -> None:
    """The till learns of its printer, as by a deployment, and the page with it."""
    pos.configuration["printer"] = {"host": "127.0.0.1", "port": printer.port, **settings}
    (pos.folder / "configuration.json").write_text(json.dumps(pos.configuration))
    wait_for(lambda: pos.client.get("/v1/till").json()["printer"] is not None)
    page.reload()
    expect(page.locator(".product")).to_have_count(3)


def wait_for_paper(page: Page, printer: ReceiptPrinter, receipts: int) -> None:
    wait_for(lambda: len(printer.receipts) >= receipts)
    expect(page.locator("#print")).to_be_enabled()


def payments(pos: Pos):
    return [one["body"]["payments"] for one in of_kind(pos, "sale")]


def test_a_total_is_paid_in_parts_with_the_keyboard_and_only_cash_gives_change(page, selling):
    for _ in range(4):
        page.locator(".product", has_text="Milk").click()
    page.keyboard.press("F9")
    page.locator("#received").fill("2,50")
    expect(page.locator("#confirm")).to_have_text("Take $2.50")
    page.locator("#received").press("Enter")
    expect(page.locator("#paying-total")).to_have_text("$3.50")
    page.keyboard.press("F8")
    expect(page.locator("#paying-title")).to_have_text("Cash")
    page.locator("#received").fill("5")
    expect(page.locator("#change")).to_have_text("$1.50")
    page.locator("#received").press("Enter")
    expect(page.locator("#receipt")).to_contain_text("Received$5.00")
    expect(page.locator("#receipt")).to_contain_text("Change$1.50")
    assert payments(selling) == [[{"method": "card", "amount": 250}, {"method": "cash", "amount": 350}]]
    assert of_kind(selling, "sale")[0]["exceptions"] == []


def test_what_a_cashier_types_when_the_payment_opens_is_what_was_handed_over(page, selling):
    page.locator(".product", has_text="Milk").click()
    page.keyboard.press("F8")
    expect(page.locator("#confirm")).to_be_focused()
    page.keyboard.type("20")
    expect(page.locator("#received")).to_have_value("20")
    expect(page.locator("#change")).to_have_text("$18.50")
    page.keyboard.press("Enter")
    expect(page.locator("#receipt")).to_contain_text("Received$20.00")
    assert payments(selling) == [[{"method": "cash", "amount": 150}]]


def test_the_change_is_in_sight_however_long_the_receipt_is_and_the_next_one_begins_at_its_top(page, selling):
    page.set_viewport_size({"width": 800, "height": 480})
    products = [{"sku": str(n), "description": f"Thing {n}", "unit_price": "1.00"} for n in range(12)]
    (selling.data / "products.json").write_text(json.dumps(products))
    page.reload()
    expect(page.locator(".product")).to_have_count(12)
    for thing in page.locator(".product").all():
        thing.click()
    page.keyboard.press("F8")
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    expect(page.locator("#given-change")).to_have_text("Change $8.00")
    for wanted in ("#given-change", "#safety", "#next"):
        expect(page.locator(wanted)).to_be_in_viewport(ratio=1)
    page.evaluate("document.querySelector('#receipt').scrollTop = 9999")
    page.keyboard.press("Enter")
    for thing in page.locator(".product").all():
        thing.click()
    page.keyboard.press("F9")
    page.keyboard.press("Enter")
    expect(page.locator("#receipt h3")).to_be_in_viewport(ratio=1)
    expect(page.locator("#given-change")).to_be_hidden()


def test_a_silent_till_is_named_as_what_is_wrong_and_not_the_basket(page, selling):
    page.locator(".product", has_text="Milk").click()
    selling.kill()
    page.keyboard.press("F8")
    expect(page.locator("#trouble-title")).to_have_text("The till does not answer")
    expect(page.locator("#trouble-text")).to_have_text("The basket is kept. Trying again.")
    page.locator("#reopen").click()
    selling.start()
    page.keyboard.press("F8")
    page.keyboard.press("Enter")
    expect(page.locator("#safety")).to_have_text("Safe on this till")
    assert len(payments(selling)) == 1


def test_enter_once_too_often_after_a_sale_sells_nothing_to_the_next_customer(page, selling):
    page.locator(".product", has_text="Milk").click()
    page.keyboard.press("F8")
    page.keyboard.press("Enter")
    expect(page.locator("#next")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_be_hidden()
    expect(page.locator("button:focus")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("#lines li")).to_have_count(0)


def test_more_than_is_due_is_taken_in_cash_only(page, selling):
    page.locator(".product", has_text="Milk").click()
    page.keyboard.press("F9")
    page.locator("#received").fill("2")
    expect(page.locator("#change-line")).to_have_text("At most $1.50")
    expect(page.locator("#confirm")).to_be_disabled()
    page.get_by_role("button", name="Voucher").click()
    page.locator("#received").fill("1")
    page.locator("#confirm").click()
    page.get_by_role("button", name="Take out: Voucher $1.00").click()
    expect(page.locator("#paying-total")).to_have_text("$1.50")
    page.locator("#confirm").click()
    expect(page.locator("#done")).to_be_visible()
    assert payments(selling) == [[{"method": "voucher", "amount": 150}]]


def test_a_part_that_was_paid_outlives_a_reload_and_guards_its_basket(page, selling):
    page.locator(".product", has_text="Milk").click()
    page.locator(".product", has_text="Milk").click()
    page.keyboard.press("F9")
    page.locator("#received").fill("2")
    page.locator("#confirm").click()
    page.reload()
    expect(page.locator("#part-paid")).to_have_text("Paid so far: $2.00")
    for locked in ("#clear", "#hold"):
        expect(page.locator(locked)).to_be_disabled()
    page.get_by_role("button", name="One less: Milk").click()
    page.keyboard.press("F8")
    expect(page.locator("#change-line")).to_have_text("Too much was taken: give back $0.50")
    expect(page.locator("#confirm")).to_be_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="One more: Milk").click()
    page.keyboard.press("F8")
    expect(page.locator("#received")).to_have_value("1.00")
    page.locator("#confirm").click()
    expect(page.locator("#done")).to_be_visible()
    assert payments(selling) == [[{"method": "card", "amount": 200}, {"method": "cash", "amount": 100}]]
    page.keyboard.press("Enter")
    expect(page.locator("#part-paid")).to_be_hidden()


def test_only_what_the_store_takes_is_offered_and_amounts_are_typed_as_its_people_write_them(
    browser, tmp_path
):
    pos = Pos(tmp_path, rules={"payment_methods": ["card", "voucher"]})
    pos.assign(locale="de-DE", currency="EUR")
    pos.start()
    page = browser.new_page()
    try:
        page.goto(pos.url)
        page.locator(".product", has_text="Avocado").click()
        expect(page.locator("#cash")).to_be_hidden()
        page.keyboard.press("F8")  # there is no cash: the first of what is taken
        expect(page.locator("#paying-title")).to_have_text("Karte")
        expect(page.locator("#received")).to_have_value("1,25")
        page.locator("#confirm").click()
        expect(page.locator("#done")).to_be_visible()
        assert payments(pos) == [[{"method": "card", "amount": 125}]]
    finally:
        page.close()
        pos.kill()
        pos.client.close()


def test_a_refund_goes_back_in_the_ways_that_the_sale_was_paid(page, selling):
    line = {"sku": "77", "description": "Cake", "quantity": 1, "unit_price": "3.00", "total": 300}
    paid = [{"method": "card", "amount": 100}, {"method": "cash", "amount": 200}]
    sold = selling.sell(sale(lines=[line], payments=paid)).json()
    page.keyboard.press("F7")
    page.locator("#refund-code").fill(sold["receipt_no"])
    page.keyboard.press("Enter")
    page.locator("#refund-lines input").fill("1")
    page.locator("#refund-reason").fill("dry")
    page.locator("#refund-give").click()
    expect(page.locator("#done-title")).to_have_text("Refund recorded")
    back = [{"method": "card", "amount": -100}, {"method": "cash", "amount": -200}]
    assert of_kind(selling, "refund")[0]["body"]["payments"] == back


def test_a_scales_label_brings_its_weight_or_its_price(page, selling):
    scan(page, labelled("280034500452"))  # 452 g at 12.90
    expect(page.locator("#lines small")).to_have_text("0.452 kg \N{MULTIPLICATION SIGN} $12.90")
    scan(page, labelled("210034500583"))  # 5.83, which no whole number of grams comes to
    scan(page, labelled("210007700275"))  # a piece at a price of its own
    scan(page, labelled("020007700199")[1:])  # the same article from a UPC-A label
    expect(page.locator("#total")).to_have_text("$16.40")
    pay(page)
    (recorded,) = of_kind(selling, "sale")
    assert recorded["exceptions"] == []
    said = [(one["sku"], one["unit_price"], one["total"]) for one in recorded["body"]["lines"]]
    assert said == [("345", "12.90", 583), ("345", "12.90", 583), ("77", None, 275), ("77", None, 199)]
    assert [one["quantity_scale"] for one in recorded["body"]["lines"]] == [3, 3, 0, 0]


def test_a_price_on_a_label_holds_where_a_gram_costs_more_than_a_cent(page, selling):
    assert (
        page.evaluate(
            """async () => {
          const { quantityFor, lineTotal } = await import("/money.js");
          return [[1999, "39.99"], [1, "99.99"], [100000, "0.01"], [777, "1234.56"]].map(([total, price]) => {
            const { quantity, scale } = quantityFor(total, price, 2);
            return lineTotal(quantity, scale, price, 2) === total;
          });
        }"""
        )
        == [True] * 4
    )
    assert page.evaluate("import('/money.js').then(({ quantityFor }) => quantityFor(100, '0.00', 2))") is None


def test_a_label_that_was_misread_or_says_nothing_is_not_sold(page, selling):
    wrong = labelled("280034500452")[:-1] + "0"
    for code, words in (
        (wrong, "was misread"),
        (labelled("280034500000"), "neither price nor weight"),
        (labelled("280007700452"), "not sold by weight"),
        (labelled("289999900452"), "99999 is not known here"),
    ):
        scan(page, code)
        expect(page.locator("#found")).to_contain_text(words)
    expect(page.locator("#lines li")).to_have_count(0)


def test_a_pattern_that_cannot_be_read_is_told_and_left_out(page, selling):
    assert selling.client.get("/v1/till").json()["barcode_patterns"] == PATTERNS[:3]
    assert "the barcode pattern '2IIIIIPPPPC' is left out" in selling.log()


def test_a_card_number_typed_as_an_item_gets_neither_into_the_basket_nor_onto_the_receipt(page, selling):
    number = "4111 1111 1111 1111"
    page.keyboard.press("F2")
    page.keyboard.type(f"Gift {number}")
    page.keyboard.press("Tab")
    page.keyboard.type("2.50")
    page.keyboard.press("Enter")
    expect(page.locator("#lines li span").first).to_have_text("Gift **** **** **** 1111")
    pay(page)
    expect(page.locator("#receipt")).to_contain_text("Gift **** **** **** 1111")
    kept = page.evaluate("JSON.stringify(localStorage)")
    for digits in (number, number.replace(" ", "")):
        assert digits not in kept
        assert digits not in json.dumps(of_kind(selling, "sale"))


def test_a_receipt_comes_by_itself_and_opens_the_drawer_for_cash(page, selling, printer):
    printing(selling, printer, page)
    page.locator(".product", has_text="Milk").click()
    pay(page)
    wait_for_paper(page, printer, 1)
    assert b"\x1bp" in printer.receipts[0]
    page.keyboard.press("p")
    wait_for_paper(page, printer, 2)
    assert b"\x1bp" not in printer.receipts[1]
    assert b"Milk" in printer.receipts[1]


def test_a_printer_without_paper_is_said_and_holds_nobody_up(page, selling, printer):
    printing(selling, printer, page)
    printer.answers["paper"] = 0x72
    page.locator(".product", has_text="Milk").click()
    pay(page)
    expect(page.locator("#print-problem")).to_contain_text("out of paper")
    expect(page.locator("#print-browser")).to_be_visible()
    assert page.evaluate(CONTRAST) == []
    printer.answers["paper"] = 0x12
    page.keyboard.press("p")
    wait_for_paper(page, printer, 1)
    expect(page.locator("#print-problem")).to_have_text("")
    assert len(of_kind(selling, "sale")) == 1


def test_training_prints_nothing_on_the_tills_printer(page, selling, printer):
    printing(selling, printer, page)
    page.keyboard.press("F10")
    page.locator("#menu-training").click()
    page.locator(".product", has_text="Milk").click()
    pay(page)
    expect(page.locator("#print-browser")).to_be_hidden()
    page.keyboard.press("Enter")
    assert printer.receipts == []


def test_a_whole_sale_is_taken_back_and_says_so_on_its_receipt(page, selling):
    sold = selling.sell(sale()).json()
    page.keyboard.press("F7")
    page.locator("#refund-code").fill(sold["receipt_no"])
    page.keyboard.press("Enter")
    page.locator("#refund-reason").fill("rung up twice")
    page.locator("#refund-void").click()
    expect(page.locator("#done-title")).to_have_text("Sale taken back")
    expect(page.locator("#receipt")).to_contain_text("Given back-$3.00")
    (recorded,) = of_kind(selling, "void")
    assert recorded["body"]["voids"]["sale_id"] == sold["sale_id"]
    assert recorded["body"]["reason"] == "rung up twice"


def test_a_supervisor_whom_the_till_asks_for_signs_in_the_same_dialog(browser, selling):
    sold = selling.sell(sale()).json()
    page = signed_in(browser, selling)
    page.keyboard.press("F7")
    page.locator("#refund-code").fill(sold["receipt_no"])
    page.keyboard.press("Enter")
    page.locator("#refund-reason").fill("rung up twice")
    page.locator("#refund-void").click()
    expect(page.locator("#refund-problem")).to_have_text("A supervisor must allow this.")
    expect(page.locator("#refund-reason")).to_have_value("rung up twice")
    page.keyboard.type("S1")  # where the cursor is
    page.locator("#supervisor-pin").fill("4711")
    page.locator("#refund-void").click()
    expect(page.locator("#done-title")).to_have_text("Sale taken back")
    assert of_kind(selling, "void")[0]["body"]["supervisor"] == "S1"
    page.close()


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_everything_that_sells_is_in_sight_on_the_pis_own_small_screen(page, selling, language):
    page.set_viewport_size({"width": 800, "height": 480})
    page.keyboard.press("F10")
    page.locator("#language").select_option(language)
    page.keyboard.press("Escape")
    page.locator(".product", has_text="Milk").click()
    for wanted in (
        "#total",
        "#cash",
        "#card",
        "#hold",
        "#search",
        "#manual button",
        "#state",
        "#menu-button",
    ):
        expect(page.locator(wanted)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == 800
    page.keyboard.press("F9")
    page.locator("#received").fill("1")
    page.locator("#confirm").click()
    for wanted in ("#received", "#paid-list", "#confirm", "#back"):
        expect(page.locator(wanted)).to_be_in_viewport(ratio=1)
    assert page.evaluate(CONTRAST) == []
    page.locator("#confirm").click()
    expect(page.locator("#next")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    page.keyboard.press("F7")
    page.locator("#refund-code").fill(of_kind(selling, "sale")[0]["receipt_no"])
    page.keyboard.press("Enter")
    expect(page.locator("#refund-give")).to_be_in_viewport(ratio=1)
    assert page.evaluate(CONTRAST) == []
