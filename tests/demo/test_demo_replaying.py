"""The acts of step 5 against a till that keeps what `pos` promises: nothing is lost."""

import asyncio
import json
from collections import Counter

import pytest

from sales.baskets import baskets
from sales.journal import Journal, read
from tests.served import served
from twin.demo.processes import DemoError
from twin.demo.replaying import Selling, sell
from twin.demo.settings import DemoTill

STEADY = DemoTill("LAB00001", "ST-367", 367)
DARK = DemoTill("LAB00002", "ST-367", 367, loses_power=True)


class House:
    """A till, its cable and its plug: sales committed before a power cut are there after it."""

    def __init__(self, serial):
        self.serial = serial
        self.sales = {}
        self.asked: Counter[str] = Counter()
        self.powered = self.cabled = True
        self.events = []
        self.writers = set()

    def cut(self, serial):
        self.cabled = False
        self.events.append("cut")

    def restore(self, serial):
        self.cabled = True
        self.events.append("restore")

    def power_cut(self, serial):
        self.powered = False
        self.events.append("power cut")
        for writer in self.writers:
            writer.transport.abort()

    def boot(self, serial):
        assert not self.cabled
        self.powered = True
        self.events.append("boot")

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while self.powered and (head := await reader.readuntil(b"\r\n\r\n")):
                await self._one(head, reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _one(self, head, reader, writer):
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
        body = json.loads(await reader.readexactly(length) or b"null")
        answer = {"thing": f"greentill-{self.serial}", "backlog": len(self.sales)}
        if body:
            self.asked[body["sale_id"]] += 1
            await asyncio.sleep(0.002)  # the sync of the card
            if not self.powered:
                return
            seq = len(self.sales) + 2
            answer = {"epoch": "0" * 16, "seq": seq, "hash": f"{seq:064d}", "receipt_no": f"A-{seq}"}
            answer = self.sales.setdefault(body["sale_id"], answer)
        payload = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload)
        await writer.drain()


@pytest.fixture(scope="module")
def chosen():
    return list(baskets([367], limit_per_store=40))


def play(house, till, chosen, path):
    said: list[str] = []

    async def run():
        async with served(house.serve) as url:
            selling = Selling(till, url)
            await sell(selling, chosen, Journal(path), house, said.append)
            return selling

    return asyncio.run(run()), said


def test_every_basket_is_sold_once_while_the_cable_is_pulled_and_put_back(chosen, tmp_path):
    house = House(STEADY.serial)
    selling, _ = play(house, STEADY, chosen, tmp_path / "journal")
    assert house.events == ["cut", "restore"]
    assert len(house.sales) == len(selling.entries) == 40
    assert {entry.outcome for entry in selling.entries} == {"acknowledged"}
    assert sum(not entry.online for entry in selling.entries) == 20
    assert {entry.terminal for entry in selling.entries} == {"T1", "T2"}


def test_a_power_cut_in_the_middle_of_a_sale_neither_loses_nor_doubles_it(chosen, tmp_path):
    house = House(DARK.serial)
    selling, said = play(house, DARK, chosen, tmp_path / "journal")
    assert house.events == ["cut", "power cut", "boot", "restore"]
    assert len(house.sales) == len(selling.entries) == 40
    assert selling.in_flight_at_power_cut > 0
    assert max(entry.attempts for entry in selling.entries) > 1, "an interrupted sale is asked for again"
    assert selling.sold_after_offline_boot > 0
    assert [what for what, _ in selling.events] == ["cut", "dark", "selling again", "restored"]
    assert any("booted without the network" in line for line in said)


def test_the_backlog_is_what_the_till_says_before_its_cable_is_back(chosen, tmp_path):
    house = House(STEADY.serial)
    selling, _ = play(house, STEADY, chosen, tmp_path / "journal")
    assert selling.backlog == 30


def test_the_journal_holds_what_the_run_saw(chosen, tmp_path):
    selling, _ = play(House(STEADY.serial), STEADY, chosen, tmp_path / "journal")
    assert list(read([tmp_path / "journal"])) == selling.entries


def test_too_few_baskets_for_a_power_cut_are_an_error_not_a_quiet_pass(chosen, tmp_path):
    with pytest.raises(DemoError, match="more baskets"):
        play(House(DARK.serial), DARK, chosen[:3], tmp_path / "journal")
