"""A cashier's day on the till page: scanning, weighing, holding, refunds, training, languages, signing in."""

from __future__ import annotations

import json
import re
import ssl
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from edge_components.pos.access.cashiers import Cashier, save
from edge_components.pos.access.pins import Pins
from tests.catalogue.test_pos_catalogue import GOODS, Shelf
from tests.pos.pos_process import Pos, free_port, sale
from tests.pos.test_pos_selling import records

pytestmark = pytest.mark.browser
PRODUCTS = [
    {
        "sku": "10",
        "description": "Milk",
        "unit_price": "1.50",
        "department": "Dairy",
        "barcodes": ["4006381333931"],
    },
    {
        "sku": "20",
        "description": "Loose apples",
        "unit_price": "3.99",
        "department": "Fruit",
        "sold_by": "weight",
    },
    {"sku": "30", "description": "Bread", "unit_price": "2.25", "department": "Bakery"},
]
CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


@pytest.fixture
def shop(selling: Pos, page: Page) -> Page:
    """The page of a till with three products, one of them sold by weight."""
    (selling.data / "products.json").write_text(json.dumps(PRODUCTS))
    page.reload()
    expect(page.locator(".product")).to_have_count(3)
    return page


def scan(page: Page, code: str) -> None:
    """As a scanner types: faster than any person, Enter at the end."""
    page.evaluate("document.activeElement.blur()")
    page.evaluate(
        """(code) => [...code, "Enter"].forEach((key) =>
          document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })))""",
        code,
    )


def pay(page: Page, key: str = "F8") -> None:
    page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_be_visible()


def of_kind(pos: Pos, kind: str):
    return [one for one in records(pos) if one["kind"] == kind]


def test_a_scanned_barcode_goes_into_the_basket_and_an_unknown_one_is_said(shop):
    scan(shop, "4006381333931")
    expect(shop.locator("#lines li")).to_have_count(1)
    scan(shop, "4006381333931")
    expect(shop.locator("#total")).to_have_text("$3.00")
    scan(shop, "9999999999999")
    expect(shop.locator("#found")).to_contain_text("9999999999999 is not known here")
    expect(shop.locator("#lines li")).to_have_count(1)


def test_a_product_is_found_by_words_and_taken_with_enter(shop):
    shop.keyboard.press("F3")
    shop.keyboard.type("bre")
    expect(shop.locator(".product")).to_have_count(1)
    shop.keyboard.press("Enter")
    expect(shop.locator("#total")).to_have_text("$2.25")
    expect(shop.locator(".product")).to_have_count(3)


def test_a_search_offers_the_departments_of_what_it_found(shop):
    expect(shop.locator("#departments button")).to_have_text(["All", "Dairy", "Fruit", "Bakery"])
    shop.locator("#search").fill("bread")
    expect(shop.locator("#departments button")).to_have_text(["All", "Bakery"])
    shop.locator("#search").fill("")
    expect(shop.locator("#departments button")).to_have_count(4)


@pytest.mark.parametrize("size", [(800, 480), (1280, 800), (600, 900)])
def test_a_price_is_in_sight_however_long_its_article_is_called(page, selling, size):
    names = ["Aseptic milk & milk drinks 12 oz", "X" * 200, *["Milk " * 40] * 40]
    products = [{"sku": str(n), "description": name, "unit_price": "1234.50"} for n, name in enumerate(names)]
    (selling.data / "products.json").write_text(json.dumps(products))
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.reload()
    expect(page.locator(".product")).to_have_count(42)
    for tile in page.locator(".product").all()[:3]:
        inside(tile, "b")
        above, below = tile.locator("span").bounding_box(), tile.locator("b").bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]
        tile.click()
    for line in page.locator("#lines li").all():
        inside(line, "strong")
    pay(page)
    for row in page.locator("#receipt p:not(.facts)").all():
        inside(row, "span:last-child")
        price = row.locator("span:last-child").bounding_box()
        assert price is not None
        assert price["height"] < 30  # on one line


def inside(whole: Locator, part: str) -> None:
    outer, inner = whole.bounding_box(), whole.locator(part).bounding_box()
    assert outer is not None
    assert inner is not None
    assert outer["x"] <= inner["x"]
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 0.5
    assert inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 0.5


def test_weighed_goods_are_recorded_with_their_weight(shop, selling):
    shop.locator(".product", has_text="Loose apples").click()
    shop.keyboard.type("1,25")
    expect(shop.locator("#weighing-total")).to_have_text("$4.99")
    shop.keyboard.press("Enter")
    expect(shop.locator("#lines small")).to_have_text("1.250 kg \N{MULTIPLICATION SIGN} $3.99")
    pay(shop)
    (recorded,) = of_kind(selling, "sale")
    line = recorded["body"]["lines"][0]
    assert (line["quantity"], line["quantity_scale"], line["total"]) == (1250, 3, 499)
    assert recorded["exceptions"] == []


def test_goods_come_from_the_catalogue_and_a_new_one_is_on_the_shelf_without_a_reload(page, selling):
    shelf = Shelf(selling.data / "catalogue")
    version = shelf.put(*GOODS)
    expect(page.locator(".product", has_text="Crème fraîche")).to_be_visible()
    scan(page, "milk-1")
    expect(page.locator("#lines li span")).to_have_text("Whole milk 1 gal")
    page.keyboard.press("F3")
    page.keyboard.type("banan")
    page.keyboard.press("Enter")
    expect(page.locator("#weighing")).to_be_visible()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("#lines li")).to_have_count(2)
    pay(page)
    (recorded,) = of_kind(selling, "sale")
    assert recorded["exceptions"] == []
    assert recorded["catalogue_version"] == version


def test_a_basket_on_hold_waits_through_a_reload_and_is_sold_once_as_itself(shop, selling):
    shop.locator(".product", has_text="Milk").dblclick()
    held = json.loads(shop.evaluate("localStorage['greentill.basket']"))["saleId"]
    shop.keyboard.press("F4")
    expect(shop.locator("#lines li")).to_have_count(0)
    shop.locator(".product", has_text="Bread").click()
    shop.reload()
    expect(shop.locator(".product")).to_have_count(3)
    expect(shop.locator("#resume")).to_have_text("1 basket on hold · F6")
    shop.keyboard.press("F6")
    expect(shop.locator("#held-list button")).to_contain_text("2 items · $3.00")
    shop.locator("#held-list button").click()
    expect(shop.locator("#total")).to_have_text("$3.00")
    expect(shop.locator("#resume")).to_have_text("1 basket on hold · F6")  # the bread waits in turn
    pay(shop)
    assert [one["sale_id"] for one in of_kind(selling, "sale")] == [held]


def test_a_basket_that_the_till_refuses_is_not_paid_for(browser, tmp_path):
    pos = Pos(tmp_path, rules={"max_total": "2.00"})
    pos.assign()
    pos.start()
    page = browser.new_page()
    try:
        page.goto(pos.url)
        page.locator(".product", has_text="Sourdough loaf").click()
        page.keyboard.press("F8")
        expect(page.locator("#trouble-title")).to_have_text("This basket can't be sold yet")
        expect(page.locator("#reasons")).to_contain_text("5.50 USD is more than the 2.00 USD allowed")
        expect(page.locator("#paying")).to_be_hidden()
        page.locator("#reopen").click()
        expect(page.locator("#total")).to_have_text("$5.50")
        assert of_kind(pos, "sale") == []
    finally:
        page.close()
        pos.kill()
        pos.client.close()


def test_a_part_of_a_sale_is_refunded_by_scanning_its_receipt(shop, selling):
    sold = selling.sell(sale()).json()
    scan(shop, f"GT1:greentill-X:{sold['epoch']}:{sold['seq']}:{sold['hash']}")
    expect(shop.locator("#refund-found")).to_contain_text(sold["receipt_no"])
    shop.locator("#refund-lines input").fill("1")
    expect(shop.locator("#refund-total")).to_have_text("$1.50")
    shop.locator("#refund-reason").fill("sour")
    shop.locator("#refund-give").click()
    expect(shop.locator("#done-title")).to_have_text("Refund recorded")
    (recorded,) = of_kind(selling, "refund")
    assert recorded["body"]["verified"] is True
    assert recorded["body"]["totals"]["total"] == -150
    assert recorded["body"]["receipt"]["hash"] == sold["hash"]
    assert recorded["exceptions"] == []


def test_more_than_was_sold_is_not_given_back(shop, selling):
    sold = selling.sell(sale()).json()
    for expected in ("Refund recorded", None):
        shop.keyboard.press("F7")
        shop.locator("#refund-code").fill(sold["receipt_no"])
        shop.keyboard.press("Enter")
        shop.locator("#refund-lines input").fill("2")
        shop.locator("#refund-reason").fill("sour")
        shop.keyboard.press("Enter")
        if expected:
            expect(shop.locator("#done-title")).to_have_text(expected)
            shop.keyboard.press("Escape")
    expect(shop.locator("#trouble-title")).to_have_text("This refund was not recorded")
    expect(shop.locator("#trouble-text")).to_contain_text("give no money back")
    assert len(of_kind(selling, "refund")) == 1


@pytest.mark.parametrize("coded", [False, True])
def test_a_receipt_that_a_silent_till_cannot_look_for_is_neither_unknown_nor_another_tills(
    shop, selling, coded
):
    sold = selling.sell(sale()).json()
    selling.kill()
    shop.keyboard.press("F7")
    code = f"GT1:greentill-X:{sold['epoch']}:{sold['seq']}:{sold['hash']}"
    shop.locator("#refund-code").fill(code if coded else sold["receipt_no"])
    shop.keyboard.press("Enter")
    expect(shop.locator("#refund-found")).to_have_text("The till does not answer")
    expect(shop.locator("#refund-give")).to_be_hidden()
    selling.start()
    shop.keyboard.press("Enter")
    expect(shop.locator("#refund-found")).to_contain_text(sold["receipt_no"])


def test_a_receipt_of_another_till_needs_a_supervisor_with_a_pin(browser, selling):
    pins = Pins()
    for name, role in (("S1", "supervisor"), ("C1", "cashier")):
        save(selling.data / "cashiers.json", Cashier(name, name, role, pins.hash("4711")))
    page = browser.new_page()
    page.goto(selling.url)
    page.locator("#sign-in-cashier").fill("C1")
    page.locator("#sign-in-pin").fill("4711")
    page.keyboard.press("Enter")
    expect(page.locator("#signing")).to_be_hidden()
    page.keyboard.press("F7")
    page.locator("#refund-code").fill(f"GT1:greentill-OTHER:{'1a' * 8}:7:{'0b' * 32}")
    page.keyboard.press("Enter")
    page.locator("#refund-item").fill("Milk")
    page.locator("#refund-amount").fill("1.50")
    page.locator("#refund-reason").fill("sour")
    page.locator("#supervisor").fill("C1")
    page.locator("#supervisor-pin").fill("4711")
    page.locator("#refund-give").click()
    expect(page.locator("#refund-problem")).to_have_text("A supervisor must allow this.")
    page.locator("#supervisor").fill("S1")
    page.locator("#supervisor-pin").fill("4711")
    page.locator("#refund-give").click()
    expect(page.locator("#done-title")).to_have_text("Refund recorded")
    (recorded,) = of_kind(selling, "refund")
    assert recorded["body"]["verified"] is False
    assert recorded["body"]["supervisor"] == "S1"
    assert [one["code"] for one in recorded["exceptions"]] == ["refund_unverified"]
    assert "4711" not in json.dumps(recorded)
    page.close()


def test_training_records_nothing_and_cannot_be_overlooked(shop, selling):
    before = selling.health()["seq"]
    shop.keyboard.press("F10")
    shop.locator("#menu-training").click()
    expect(shop.locator("#training-banner")).to_contain_text("TRAINING")
    shop.locator(".product", has_text="Milk").click()
    pay(shop)
    expect(shop.locator("#receipt")).to_contain_text("not a receipt")
    expect(shop.locator("#safety")).to_have_text("Nothing is recorded")
    shop.keyboard.press("Enter")
    shop.locator(".product", has_text="Bread").click()
    shop.reload()
    expect(shop.locator("#training-banner")).to_be_visible()
    shop.keyboard.press("F10")
    shop.locator("#menu-training").click()
    expect(shop.locator("#training-banner")).to_be_hidden()
    expect(shop.locator("#lines li")).to_have_count(0)  # what was practised is not sold
    assert selling.health()["seq"] == before


def test_the_page_speaks_the_stores_language_and_writes_its_money(browser, pos):
    pos.assign(locale="de-DE", currency="EUR")
    pos.start()
    page = browser.new_page()
    page.goto(pos.url)
    page.locator(".product", has_text="Avocado").click()
    expect(page.locator("#total")).to_have_text("1,25 €")
    expect(page.locator("#basket-title")).to_have_text("Warenkorb")
    assert page.evaluate("document.documentElement.lang") == "de"
    page.keyboard.press("F10")
    page.locator("#language").select_option("fr")
    expect(page.locator("#basket-title")).to_have_text("Panier")
    expect(page.locator("#total")).to_have_text("1,25 €")
    page.reload()
    expect(page.locator("#basket-title")).to_have_text("Panier")
    page.close()


def test_a_currency_without_minor_units_is_counted_whole(browser, pos):
    pos.assign(locale="ja-JP", currency="JPY", currency_exponent=0)
    (pos.data / "products.json").write_text(
        json.dumps([{"sku": "1", "description": "Tea", "unit_price": "150"}])
    )
    pos.start()
    page = browser.new_page()
    page.goto(pos.url)
    page.locator(".product").click()
    pay(page)
    assert of_kind(pos, "sale")[0]["body"]["totals"]["total"] == 150
    page.close()


def test_every_language_says_everything_in_its_own_words(page):
    lacking = page.evaluate(
        """async () => {
          const { LANGUAGES } = await import("/language.js");
          const holes = (text) => (text.match(/\\{\\w+\\}/g) ?? []).sort().join();
          return Object.entries(LANGUAGES).flatMap(([name, words]) => Object.entries(LANGUAGES.en)
            .filter(([key, text]) => !(key in words) || holes(words[key]) !== holes(text))
            .map(([key]) => `${name} ${key}`));
        }"""
    )
    assert lacking == []
    shown = page.evaluate("[...document.querySelectorAll('[data-t]')].map((one) => one.dataset.t)")
    known = page.evaluate("import('/language.js').then(({ LANGUAGES }) => Object.keys(LANGUAGES.en))")
    assert set(shown) <= set(known)


def test_every_text_stands_out_from_what_is_behind_it(shop, selling):
    assert shop.evaluate(CONTRAST) == []
    shop.evaluate("document.getElementById('thing').style.color = '#aaa'")
    assert len(shop.evaluate(CONTRAST)) == 1  # it would notice
    shop.evaluate("document.getElementById('thing').style.color = ''")
    shop.locator(".product", has_text="Milk").click()
    shop.keyboard.press("F8")
    assert shop.evaluate(CONTRAST) == []
    shop.keyboard.press("Enter")
    expect(shop.locator("#done")).to_be_visible()
    assert shop.evaluate(CONTRAST) == []
    shop.keyboard.press("Enter")
    for key in ("F7", "F10"):
        shop.keyboard.press(key)
        assert shop.evaluate(CONTRAST) == []
        shop.keyboard.press("Escape")
    shop.keyboard.press("F10")
    shop.locator("#menu-training").click()
    assert shop.evaluate(CONTRAST) == []
    selling.kill()
    expect(shop.locator("#state")).to_have_attribute("data-state", "down")
    assert shop.evaluate(CONTRAST) == []


def test_everything_that_can_be_used_has_a_name(shop):
    nameless = shop.evaluate(
        """() => [...document.querySelectorAll("button, input, select, dialog")].filter((one) => {
          const label = one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim();
          const named = one.getAttribute("aria-labelledby");
          return !label && !(named && document.getElementById(named));
        }).map((one) => one.id || one.outerHTML)"""
    )
    assert nameless == []


def test_what_is_printed_is_the_receipt_alone(shop):
    shop.locator(".product", has_text="Milk").click()
    pay(shop)
    expect(shop.locator("#receipt .code")).to_be_visible()
    shop.emulate_media(media="print")
    expect(shop.locator("#receipt")).to_be_visible()
    for hidden in ("header", "main", "#safety", "#next"):
        expect(shop.locator(hidden)).to_be_hidden()


def test_an_unanswered_sale_is_never_sent_to_another_till(page, selling):
    page.route("**/v1/sales", lambda route: route.abort())
    page.locator(".product", has_text="Avocado").click()
    page.keyboard.press("F9")
    page.keyboard.press("Enter")
    expect(page.locator("#sending-title")).to_have_text("The till has not answered yet")
    selling.stop()
    for file in selling.data.glob("ledger.db*"):
        file.unlink()
    selling.assign(thing="greentill-OTHER")  # another till answers at the same address
    selling.start()
    page.unroute("**/v1/sales")
    expect(page.locator("#sending-text")).to_contain_text("≠ greentill-X")
    assert of_kind(selling, "sale") == []


def test_a_device_on_the_network_is_paired_on_the_page_and_sells(browser, tmp_path):
    pos = Pos(tmp_path, lan_host="127.0.0.1", lan_port=free_port())
    pos.assign()
    pos.start()
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    try:
        _until_listening(pos)
        page.goto(f"https://127.0.0.1:{pos.configuration['lan_port']}")
        expect(page.locator("#pairing")).to_be_visible()
        page.locator("#pair-code").fill(pos.client.post("/v1/terminals/codes").json()["code"])
        page.locator("#pair-terminal").fill("T2")
        page.keyboard.press("Enter")
        page.locator(".product", has_text="Avocado").click()
        pay(page)
        (recorded,) = of_kind(pos, "sale")
        assert (recorded["terminal"], recorded["exceptions"]) == ("T2", [])
    finally:
        context.close()
        pos.kill()
        pos.client.close()


def _until_listening(pos: Pos) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with httpx.Client(verify=ssl._create_unverified_context(), trust_env=False) as client:  # noqa: S323
                client.get(f"https://127.0.0.1:{pos.configuration['lan_port']}/")
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(pos.log())


def test_a_receipts_code_finds_its_sale_and_nothing_else(selling):
    sold = selling.sell(sale()).json()
    code = f"GT1:greentill-X:{sold['epoch']}:{sold['seq']}:{sold['hash']}"
    assert selling.client.get(f"/v1/codes/{code}").json()["sale_id"] == sold["sale_id"]
    assert "<svg" in selling.client.get(f"/v1/codes/{code}/qr.svg").text
    for wrong in (
        re.sub("greentill-X", "greentill-Y", code),
        code[:-1] + ("0" if code[-1] != "0" else "1"),
        "GT1",
    ):
        assert selling.client.get(f"/v1/codes/{wrong}").status_code == 404
