"""A till to test: configured for the test's folder, ended with the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.faults import disk
from tests.pos.pos_process import Pos
from tests.pos.till_page import PRODUCTS

BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=60_000)


@pytest.fixture
def pos(tmp_path: Path) -> Iterator[Pos]:
    till = Pos(tmp_path)
    yield till
    till.kill()
    till.client.close()


@pytest.fixture
def clock(pos: Pos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[disk.Control]:
    """The clock that the till's process sees; it is synchronized, and can be moved."""
    control = disk.Control(tmp_path / "control")
    control.set_clock()
    for name, value in disk.environment(pos.data, control=control).items():
        monkeypatch.setenv(name, value)
    yield control
    control.close()


@pytest.fixture
def selling(pos: Pos) -> Pos:
    """A till that has its assignment and sells."""
    pos.assign()
    return pos.start()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, selling: Pos) -> Iterator[Page]:
    """The page of a selling till; anything that the browser complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Security" in message.text else None)
    page.goto(selling.url)
    page.wait_for_selector(".product")
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def shop(selling: Pos, page: Page) -> Page:
    """The page of a till with three products, one of them sold by weight."""
    (selling.data / "products.json").write_text(json.dumps(PRODUCTS))
    page.reload()
    expect(page.locator(".product")).to_have_count(3)
    return page
