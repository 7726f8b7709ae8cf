"""Money given back on the till page: by a receipt's code, with a supervisor, never more than was sold."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.pos.pos_process import sale
from tests.pos.till_page import of_kind, scan, signed_in

pytestmark = pytest.mark.browser


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
    expect(shop.locator("#reasons")).to_contain_text("0.00 USD is left to refund")
    expect(shop.locator("#again")).to_be_hidden()  # it can't help
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
    page = signed_in(browser, selling)
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
