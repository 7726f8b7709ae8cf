"""Days without a line, and a line that comes and goes: in the end the cloud has everything once."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from edge_components.edgekit import record
from edge_components.edgekit.ledger import LedgerReader
from infra.names import Names
from sales.baskets import Basket, baskets
from sales.journal import Entry
from sales.reconcile import reconcile
from sales.terminal import Settings, Terminal
from tests.faults import disk
from tests.soak.relay import Relay
from tests.soak.tills import Account, Till, make_tables

HOUR = 3_600
TERMINALS = 4
CLOSED_EVERY = 24  # hours between two day closes
FLAPS = 8
PATIENCE = 1_500.0  # seconds for a whole backlog on a busy machine


@dataclass
class Shop:
    """A till, its cable and the cloud at the other end of it."""

    account: Account
    line: Relay
    till: Till
    control: disk.Control

    def records(self) -> list[dict[str, Any]]:
        found, place = [], ("", 0)
        with LedgerReader(self.till.data / "ledger.db") as reader:
            while rows := reader.after(*place):
                found += [record.parse(row.record) for row in rows]
                place = (rows[-1].epoch, rows[-1].seq)
        return found

    def close_day(self) -> dict[str, Any]:
        body = {"close_id": str(uuid.uuid4()), "terminal": "T1", "cashier": "C1"}
        answer = httpx.post(f"{self.till.url}/v1/day-close", json=body, timeout=120, trust_env=False)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def shop(cloud: Any, tmp_path: Path) -> Iterator[Shop]:
    state = cloud.state.cloud
    names = Names(f"o{uuid.uuid4().hex[:10]}", state.account, state.region)
    where = urlsplit(state.endpoint)
    assert where.hostname is not None
    assert where.port is not None
    account = Account(names, (where.hostname, where.port), cloud.environment)
    make_tables(account)
    line = Relay(account.endpoint)
    till = Till("FAR00001", tmp_path / "till", account, line.port)
    control = disk.Control(tmp_path / "control")
    till.environment["pos"] |= disk.environment(till.data, control=control)
    row = {"thing": {"S": till.thing}, "state": {"S": "provisioned"}}
    account.client("dynamodb").put_item(TableName=names.registry_table, Item=row)
    yield Shop(account, line, till, control)
    till.stop()
    line.close()
    control.close()


@pytest.fixture(scope="module")
def chosen() -> list[Basket]:
    """Small ones, so that 60,000 of them take minutes."""
    return [basket for basket in baskets([367], limit_per_store=1_200) if len(basket.lines) <= 3]


@asynccontextmanager
async def terminals(till: Till) -> AsyncIterator[list[Terminal]]:
    async with AsyncExitStack() as stack:
        names = [f"T{number + 1}" for number in range(TERMINALS)]
        settings = [Settings(till.url, terminal=name, give_up_after=300.0) for name in names]
        found = [await stack.enter_async_context(Terminal(one)) for one in settings]
        for terminal in found:
            await terminal.health(within=180)
        yield found


async def ring_up(at: list[Terminal], some: Iterable[Basket], *, online: bool) -> list[Entry]:
    """Sell these at several terminals at once; every one of them must get its receipt."""

    async def one_after_another(terminal: Terminal, mine: list[Basket]) -> list[Entry]:
        return [await terminal.ring_up(basket, online=online) for basket in mine]

    queue = list(some)
    parts = await asyncio.gather(
        *(one_after_another(terminal, queue[n :: len(at)]) for n, terminal in enumerate(at))
    )
    entries = [entry for part in parts for entry in part]
    assert {entry.outcome for entry in entries} <= {"acknowledged"}
    return entries


async def sell_offline(shop: Shop, chosen: list[Basket], *, sales: int, hours: int) -> list[Entry]:
    """Sell evenly over so many hours, the last of which is now by this machine's clock; days are closed."""
    entries: list[Entry] = []
    endless = itertools.cycle(chosen)
    async with terminals(shop.till) as at:
        for hour in range(hours):
            shop.control.move_clock((hour - hours) * HOUR)
            due = sales * (hour + 1) // hours - len(entries)
            entries += await ring_up(at, itertools.islice(endless, due), online=False)
            if hour % CLOSED_EVERY == CLOSED_EVERY - 1:
                await asyncio.to_thread(shop.close_day)
    return entries


def held_against(found: list[dict[str, Any]], entries: list[Entry], hours: int) -> Counter[str]:
    """What the till has written while it was alone: every sale once, in days that never go back.

    Returns how many records each business date has.
    """
    assert record.first_break(found) is None
    sold = [one for one in found if one["kind"] == "sale"]
    assert Counter(one["sale_id"] for one in sold) == Counter(entry.sale_id for entry in entries)
    days = [one["business_date"] for one in found]
    assert days == sorted(days)
    assert len(set(days)) > hours // CLOSED_EVERY
    closed = [one for one in found if one["kind"] == "day_close"]
    assert len(closed) == hours // CLOSED_EVERY
    for close in closed:
        mine = [one for one in sold if one["business_date"] <= close["body"]["business_date"]]
        before = [one for one in closed if one["seq"] < close["seq"]]
        assert close["body"]["totals"]["count"] == len(mine) - sum(
            one["body"]["totals"]["count"] for one in before
        )
        later = [one for one in found if one["seq"] > close["seq"]]
        assert all(one["business_date"] > close["body"]["business_date"] for one in later)
    first, last = (date.fromisoformat(day) for day in (days[0], days[-1]))
    assert (last - first).days >= hours // CLOSED_EVERY
    return Counter(days)


def outage(shop: Shop, chosen: list[Basket], *, sales: int, hours: int) -> None:
    shop.control.set_clock()
    shop.control.move_clock(-hours * HOUR)
    shop.till.start()
    shop.till.until_delivered(PATIENCE)  # the opening of its ledger
    shop.line.cut()
    entries = asyncio.run(sell_offline(shop, chosen, sales=sales, hours=hours))
    shop.control.move_clock(0)
    written = held_against(shop.records(), entries, hours)
    health = shop.till.health()
    assert health["backlog"] == written.total() - 1
    assert health["oldest_undelivered_seconds"] > (hours - 1) * HOUR
    assert reconcile(shop.account.cloud()).tills[0].sales_in_table == 0
    shop.line.restore()
    shop.till.until_delivered(PATIENCE)
    all_there(shop, entries, written.total())
    assert dates_in_bucket(shop) == set(written)


def all_there(shop: Shop, entries: list[Entry], records: int) -> None:
    verdict = reconcile(shop.account.cloud(), journal=entries)
    assert verdict.findings == []
    (till,) = verdict.tills
    assert (till.in_table, till.in_bucket) == (records, records)
    assert (till.sales_in_table, till.sales_in_bucket) == (len(entries), len(entries))
    money = sum(entry.total for entry in entries)
    assert (till.money_in_table, till.money_in_bucket) == (money, money)


def dates_in_bucket(shop: Shop) -> set[str]:
    pages = (
        shop.account.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=shop.account.names.sales_bucket)
    )
    return {entry["Key"].split("date=")[1][:10] for page in pages for entry in page.get("Contents", [])}


@pytest.mark.twin
def test_72_hours_offline_with_600_sales_end_with_each_of_them_in_the_cloud_once(
    shop: Shop, chosen: list[Basket]
) -> None:
    outage(shop, chosen, sales=600, hours=72)


@pytest.mark.twin
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_72_hours_offline_with_60000_sales_end_with_each_of_them_in_the_cloud_once(
    shop: Shop, chosen: list[Basket]
) -> None:
    outage(shop, chosen, sales=60_000, hours=72)


def flap(line: Relay, stop: threading.Event, cuts: list[float]) -> None:
    """Up for a second, down for a second, until told to stop."""
    while not stop.wait(1.0):
        line.cut()
        cuts.append(time.monotonic())
        stop.wait(1.0)
        line.restore()


async def sell_through(cuts: list[float], till: Till, chosen: list[Basket]) -> list[Entry]:
    entries: list[Entry] = []
    endless = itertools.cycle(chosen)
    async with terminals(till) as at:
        while len(cuts) < FLAPS:
            entries += await ring_up(at, itertools.islice(endless, 20), online=True)
    return entries


@pytest.mark.twin
def test_a_link_that_flaps_every_second_loses_and_doubles_nothing(shop: Shop, chosen: list[Basket]) -> None:
    stop, cuts = threading.Event(), list[float]()
    flapping = threading.Thread(target=flap, args=(shop.line, stop, cuts))
    shop.till.start()
    shop.till.until_selling()
    flapping.start()
    try:
        entries = asyncio.run(sell_through(cuts, shop.till, chosen))
    finally:
        stop.set()
        flapping.join()
        shop.line.restore()
    shop.till.until_delivered(PATIENCE)
    all_there(shop, entries, len(shop.records()))
