"""How goods get into the basket on the till page: scanned, searched for, weighed."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, expect

from tests.catalogue.test_pos_catalogue import GOODS, Shelf
from tests.pos.till_page import of_kind, pay, scan

pytestmark = pytest.mark.browser


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
