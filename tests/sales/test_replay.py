"""A terminal never loses a sale to a lost answer, and never sells one twice."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from sales.baskets import baskets
from sales.journal import Journal, JournalError, read
from sales.replay import replay
from sales.terminal import Settings, TillUnreachableError
from tests.served import served

THING = "greentill-LAB00001"


class Till:
    """Answers as `pos` does: a repeated sale_id gets the receipt of the first time."""

    def __init__(self, *, lose_answers=0, busy=0, refuse=(), thing=THING):
        self.thing = thing
        self.sales: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.lose_answers, self.busy, self.refuse = lose_answers, busy, refuse

    async def serve(self, reader, writer):
        try:
            while request := await self._request(reader):
                answer = self._answer(*request)
                if answer is None:
                    break
                status, body = answer
                payload = json.dumps(body).encode()
                head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nRetry-After: 0\r\n"
                writer.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
                await writer.drain()
        finally:
            writer.close()

    async def _request(self, reader):
        head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
        if not head:
            return None
        length = next(
            (int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-l")), 0
        )
        return head.split(b" ")[1].decode(), await reader.readexactly(length)

    def _answer(self, path, body):
        if path == "/v1/health":
            return 200, {"thing": self.thing, "status": "selling"}
        sale = json.loads(body)
        sale_id = sale["sale_id"]
        self.asked[sale_id] += 1
        if self.busy:
            self.busy -= 1
            return 503, {"error": {"code": "no_assignment"}}
        if len(self.sales) in self.refuse:
            self.refuse = ()
            return 422, {"error": {"code": "bad_line"}}
        new = sale_id not in self.sales
        seq = len(self.sales) + 2
        receipt = {
            "sale_id": sale_id,
            "epoch": "0" * 16,
            "seq": seq,
            "hash": f"{seq:064d}",
            "receipt_no": f"A-{seq}",
        }
        self.sales.setdefault(sale_id, (sale, receipt))
        if self.lose_answers:
            self.lose_answers -= 1
            return None
        return (201 if new else 200), self.sales[sale_id][1]


@pytest.fixture(scope="module")
def some():
    return list(baskets([367], limit_per_store=12))


def sell(till, chosen, journal, **settings):
    async def run():
        async with served(till.serve) as url:
            return await replay(chosen, Settings(url, **settings), journal, within=120)

    return asyncio.run(run())


def test_every_basket_gets_a_receipt_that_the_journal_keeps(some, tmp_path):
    till, journal = Till(), Journal(tmp_path / "journal")
    summary = sell(till, some, journal)
    entries = list(read([journal.path]))
    assert summary.complete
    assert summary.acknowledged == len(entries) == len(till.sales) == 12
    assert summary.money == sum(basket.total for basket in some)
    assert {(e.epoch, e.seq, e.hash) for e in entries} == {
        (r["epoch"], r["seq"], r["hash"]) for _, r in till.sales.values()
    }
    assert {entry.thing for entry in entries} == {THING}


def test_a_lost_answer_is_asked_for_again_with_the_same_sale_id(some, tmp_path):
    till, journal = Till(lose_answers=4), Journal(tmp_path / "journal")
    summary = sell(till, some, journal)
    assert summary.complete
    assert len(till.sales) == 12
    assert sum(till.asked.values()) == 16
    assert summary.asked_again >= 1


def test_a_till_that_cannot_sell_yet_is_asked_again(some, tmp_path):
    till = Till(busy=3)
    assert sell(till, some, Journal(tmp_path / "journal")).complete
    assert len(till.sales) == 12


def test_a_refusal_is_final_and_reported(some, tmp_path):
    till, journal = Till(refuse=(5,)), Journal(tmp_path / "journal")
    summary = sell(till, some, journal)
    assert not summary.complete
    assert summary.outcomes == {"acknowledged": 11, "refused": 1}
    assert "bad_line" in summary.problems[0]


def test_a_later_run_goes_on_where_the_first_one_stopped(some, tmp_path):
    till, journal = Till(lose_answers=1000), Journal(tmp_path / "journal")
    first = sell(till, some[:1], journal, give_up_after=0.3)
    assert first.outcomes == {"unanswered": 1}
    till.lose_answers = 0
    second = sell(till, some, journal)
    assert second.complete
    assert len(till.sales) == 12
    third = sell(till, some, journal)
    assert third.complete
    assert len(till.sales) == 12
    assert len(list(read([journal.path]))) == 13


def test_what_one_till_did_not_answer_is_sold_at_no_other(some, tmp_path):
    silent, other, journal = (
        Till(lose_answers=1000),
        Till(thing="greentill-NEW"),
        Journal(tmp_path / "journal"),
    )
    sell(silent, some[:1], journal, give_up_after=0.3)
    summary = sell(other, some, journal)
    assert summary.outcomes == {"acknowledged": 11, "unanswered": 1}
    assert "greentill-NEW is not asked: ask greentill-LAB00001, or recover its card" in summary.problems[0]
    assert len(other.sales) == 11
    silent.lose_answers = 0
    assert sell(silent, some, journal).complete
    assert (len(silent.sales), len(other.sales)) == (1, 11)


def test_a_till_that_is_not_there_is_named(some, tmp_path):
    settings = Settings("http://127.0.0.1:9", give_up_after=0.5)
    with pytest.raises(TillUnreachableError, match="is this till running"):
        asyncio.run(replay(some, settings, Journal(tmp_path / "journal")))


def test_what_there_was_no_time_for_counts_as_left(some, tmp_path):
    async def run():
        async with served(Till().serve) as url:
            slow = (basket for basket in some)
            return await replay(slow, Settings(url), Journal(tmp_path / "j"), within=0.0)

    summary = asyncio.run(run())
    assert summary.left > 0
    assert not summary.complete


def test_sale_ids_are_in_the_order_of_time(some, tmp_path):
    till = Till()
    sell(till, some, Journal(tmp_path / "journal"))
    ids = list(till.sales)
    assert ids == sorted(ids)
    assert all(sale_id[14] == "7" for sale_id in ids)


def test_a_line_that_is_no_entry_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "journal"
    path.write_text("nonsense\n")
    with pytest.raises(JournalError, match="line 1"):
        list(read([path]))
