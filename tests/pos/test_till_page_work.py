"""A cashier's day on the till page: holding, training, languages, signing in, another till."""

from __future__ import annotations

import json
import re
import ssl
import time

import httpx
import pytest
from playwright.sync_api import expect

from tests.pos.pos_process import Pos, free_port, sale
from tests.pos.till_page import CONTRAST, of_kind, pay

pytestmark = pytest.mark.browser


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
