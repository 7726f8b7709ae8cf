"""What tests do at the till page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from edge_components.pos.access.cashiers import Cashier, save
from edge_components.pos.access.pins import Pins
from tests.pos.pos_process import Pos
from tests.pos.test_pos_selling import records

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


def of_kind(pos: Pos, kind: str) -> list[dict[str, Any]]:
    return [one for one in records(pos) if one["kind"] == kind]


def signed_in(browser: Browser, pos: Pos) -> Page:
    """The page of a till that knows a cashier and a supervisor by PIN, with the cashier at it."""
    pins = Pins()
    for name, role in (("S1", "supervisor"), ("C1", "cashier")):
        save(pos.data / "cashiers.json", Cashier(name, name, role, pins.hash("4711")))
    page = browser.new_page()
    page.goto(pos.url)
    page.locator("#sign-in-cashier").fill("C1")
    page.locator("#sign-in-pin").fill("4711")
    page.keyboard.press("Enter")
    expect(page.locator("#signing")).to_be_hidden()
    return page
