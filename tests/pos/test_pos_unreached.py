"""Whether the cloud is reached is another question than whether both places have everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from edge_components.edgekit.files import write_json
from tests.pos.pos_process import Pos, sale
from tests.waiting import wait_for

HOUR = 3_600
SEGMENT_SECONDS = 300


def arrived(pos: Pos, file: str, receipt: dict[str, Any]) -> None:
    """As sync tells it."""
    path: Path = pos.data / file
    path.parent.mkdir(exist_ok=True)
    write_json(path, {"epoch": receipt["epoch"], "seq": receipt["seq"], "time": "t"})


def in_table(pos: Pos, receipt: dict[str, Any]) -> None:
    arrived(pos, "table_cursor.json", receipt)


def in_both(pos: Pos, receipt: dict[str, Any]) -> None:
    arrived(pos, "cursors/sync.json", receipt)


def sell(pos: Pos, count: int) -> list[dict[str, Any]]:
    return [pos.sell(sale()).json() for _ in range(count)]


def test_what_the_table_has_waits_for_the_bucket_and_is_reached(clock, selling):
    sales = sell(selling, 3)
    in_both(selling, sales[0])
    in_table(selling, sales[2])
    clock.move_clock(HOUR)
    health = selling.health()
    assert (health["backlog"], health["unreached_seconds"]) == (2, 0)
    assert health["oldest_undelivered_seconds"] >= HOUR


def test_what_the_table_lacks_is_as_old_as_the_first_of_it(clock, selling):
    sales = sell(selling, 2)
    clock.move_clock(HOUR)
    sell(selling, 1)
    clock.move_clock(2 * HOUR)
    in_table(selling, sales[0])
    assert selling.health()["unreached_seconds"] >= 2 * HOUR
    in_table(selling, sales[1])
    assert HOUR <= selling.health()["unreached_seconds"] < 2 * HOUR


def test_a_sync_that_says_nothing_of_the_table_is_taken_at_its_word_for_both(clock, selling):
    first, last = sell(selling, 2)
    clock.move_clock(HOUR)
    assert selling.health()["unreached_seconds"] >= HOUR  # nothing is known to have arrived
    in_both(selling, last)
    assert selling.health()["unreached_seconds"] == 0
    in_table(selling, first)  # written more seldom
    assert selling.health()["unreached_seconds"] == 0


def test_nobody_knows_what_a_damaged_file_says_and_nobody_needs_to_before_there_is_a_ledger(pos):
    pos.start(until="no_assignment")
    assert pos.health()["unreached_seconds"] is None
    pos.assign()
    pos.wait("selling")
    assert pos.health()["unreached_seconds"] is not None
    (pos.data / "table_cursor.json").write_text("{")
    assert pos.health()["unreached_seconds"] is None


def test_a_till_whose_clock_went_back_still_sees_how_long_a_sale_waits(clock, selling):
    sell(selling, 1)
    clock.move_clock(-HOUR)
    wait_for(lambda: selling.health()["unreached_seconds"] >= 2, selling.log)


def test_a_receipt_is_in_the_cloud_once_both_places_have_it(selling):
    (receipt,) = sell(selling, 1)
    in_table(selling, receipt)
    path = f"/v1/sales/{receipt['sale_id']}"
    assert selling.client.get(path).json()["delivered"] is False
    in_both(selling, receipt)
    assert selling.client.get(path).json()["delivered"] is True


@pytest.mark.browser
def test_a_quiet_shop_with_a_line_is_not_shown_as_one_without(clock, selling, page: Page):
    state = page.locator("#state")
    sales = sell(selling, 3)
    in_both(selling, sales[0])
    in_table(selling, sales[2])
    clock.move_clock(SEGMENT_SECONDS)
    assert selling.health()["oldest_undelivered_seconds"] >= SEGMENT_SECONDS
    page.reload()
    expect(state).to_have_text("SellingSending 2 records to the cloud.")
    expect(state).to_have_attribute("data-state", "online")


@pytest.mark.browser
def test_a_shop_whose_sales_do_not_reach_the_table_is_shown_as_without_a_line(clock, selling, page: Page):
    state = page.locator("#state")
    sales = sell(selling, 3)
    in_table(selling, sales[0])
    clock.move_clock(40)
    expect(state).to_have_attribute("data-state", "offline")
    expect(state).to_have_text("Selling offline4 records safe on this till, waiting for the cloud.")
    in_table(selling, sales[2])
    expect(state).to_have_attribute("data-state", "online")
    (selling.data / "table_cursor.json").write_text("{")
    expect(state).to_have_text("SellingSales are safe on this till. The cloud was not reached yet.")
