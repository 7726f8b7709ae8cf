"""Whatever somebody types into a configuration, the till goes on selling, and follows the next one."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_components.edgekit import config
from edge_components.pos.model import SaleRequest, interpret
from edge_components.pos.rules import prepare
from edge_components.pos.settings import Settings
from edge_components.pos.updates import Updates
from edge_components.pos.validation import hours
from edge_components.pos.validation.live import LiveRules
from tests.pos.pos_process import Pos, free_port, sale
from tests.pos.test_pos_validation import STORE
from tests.waiting import wait_for

NOON = datetime(2026, 9, 21, 16, tzinfo=UTC)
LINE = {"sku": "1", "quantity": 1, "total": 300, "tax_code": "A"}
OTHER_ZONES = ("07:00+02:00-22:00", "07:00Z-22:00Z", "07:00-22:00Z")


def exceptions(configuration: dict[str, Any], **changes: Any) -> list[str]:
    """What a sale is recorded with under this configuration."""
    rules = LiveRules(Settings())
    rules.take(configuration)
    body = json.dumps(sale(lines=[LINE], **changes)).encode()
    sold = prepare(interpret(SaleRequest, body), replace(rules.circumstances(STORE), now=NOON))
    return [one["code"] for one in sold.exceptions]


@pytest.mark.parametrize("span", OTHER_ZONES)
def test_hours_in_a_zone_of_their_own_are_told_and_refuse_nobody(span: str, tmp_path: Path) -> None:
    assert exceptions({"rules": {"opening_hours": {"daily": span}}}) == []
    assert len(hours.problems({"daily": span})) == 1
    updates = Updates(Settings(data_dir=tmp_path, update_window={"daily": span}), "boot")
    updates.local = lambda: NOON.astimezone(STORE.time_zone)
    assert updates.wait_milliseconds("one") == 0


def test_hours_that_end_when_they_begin_last_all_day() -> None:
    for hour in (0, 5, 6, 23):
        assert hours.is_open({"daily": "06:00-06:00"}, NOON.replace(hour=hour))


def test_a_negative_tax_rate_is_left_out_and_its_goods_are_sold() -> None:
    """At -1 a price that includes the tax would have no base at all."""
    assert exceptions({"tax_rates": {"A": "-1", "B": "0.1"}}) == ["tax_code_unknown"]


@pytest.mark.parametrize("sold_at", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:00"])
def test_a_sale_from_the_end_of_the_calendar_is_recorded(sold_at: str) -> None:
    assert exceptions({"rules": {"opening_hours": {"daily": "07:00-22:00"}}}, sold_at=sold_at) == []


@pytest.mark.parametrize("number", [10**400, -(10**400), "1e-99999999999999999999"])
def test_a_number_beyond_all_bounds_is_refused_like_any_other(number: object) -> None:
    found = config.build(Settings, {"queue_limit": number, "rules": {"max_total": number}})
    assert (found.settings, len(found.problems)) == (Settings(), 2)


@pytest.mark.parametrize("host", ["a" * 70, "\0", "no host", "256.1.1.1"])
def test_a_network_address_that_is_none_keeps_neither_sales_nor_the_right_one_away(
    selling: Pos, host: str
) -> None:
    selling.configure(lan_host=host, lan_port=free_port())
    wait_for(lambda: "terminals on the network cannot be served" in selling.log(), selling.log)
    selling.configure(lan_host="127.0.0.1")
    wait_for(lambda: _listens(selling.configuration["lan_port"]), selling.log)
    assert selling.sell(sale()).status_code == 201
    assert selling.stop() == 0
    assert "Traceback" not in selling.log()


@pytest.mark.parametrize("printer", [{"host": "a" * 70}, {"host": "\0"}, {"device": "\0"}])
def test_a_printers_address_that_is_none_is_told_like_a_printer_that_is_off(
    pos: Pos, printer: dict[str, str]
) -> None:
    pos.configuration["printer"] = printer
    pos.assign()
    pos.start()
    receipt_no = pos.sell(sale()).json()["receipt_no"]
    answer = pos.client.post(f"/v1/receipts/{receipt_no}/print", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "printer_unreachable")


def _listens(port: object) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(str(port)))) == 0
