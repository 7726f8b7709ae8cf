"""Old records go once everyone has them; what stays still verifies, and nothing recent goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from edge_components.edgekit import record
from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import LedgerReader
from edge_components.pos import retention
from edge_components.pos.requests import CitedReceipt
from tests.pos import till_ledger
from tests.pos.pos_process import sale
from tests.pos.test_pos_selling import records
from tests.pos.till_ledger import DAY, LedgerInTest
from tests.waiting import wait_for


@pytest.fixture
def till(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "KEPT", 5)
    monkeypatch.setattr(retention, "CHUNK", 7)
    opened = LedgerInTest(tmp_path)
    yield opened
    opened.ledger.connection.close()


def drop_all(till: LedgerInTest, days: int = 400) -> int:
    upto = retention.passed(till.folder / "cursors", ("sync", "aggregator"))
    if upto is None:
        return 0
    dropped = 0
    while True:
        with till.ledger.connection:
            count = retention.drop(till.ledger, upto, retention.before(till.clock.now(), days))
        assert count <= retention.CHUNK
        if not count:
            return dropped
        dropped += count


def everyone_has_all(till: LedgerInTest) -> None:
    for consumer in ("sync", "aggregator"):
        till.cursor(consumer, till.ledger.position.epoch, till.ledger.position.seq)


def test_old_records_that_everyone_has_are_dropped_in_chunks_and_the_rest_still_verifies(till):
    before = [till.sell() for _ in range(30)]
    till.clock.wall += 401 * DAY
    recent = [till.sell() for _ in range(10)]
    everyone_has_all(till)
    assert drop_all(till) == 31  # the epoch's opening too
    left = till.records()
    assert left == recent
    assert record.first_break(left) is None
    with LedgerReader(till.folder / "ledger.db") as reader:
        assert reader.dropped(left[0]["epoch"]) == (before[-1]["seq"], before[-1]["hash"])
        assert reader.dropped("f" * 16) is None
    assert left[0]["prev_hash"] == before[-1]["hash"]
    till.reopen()
    assert till.sell()["seq"] == recent[-1]["seq"] + 1


def test_what_one_consumer_has_not_passed_stays(till):
    written = [till.sell() for _ in range(20)]
    till.clock.wall += 500 * DAY
    [till.sell() for _ in range(10)]
    till.cursor("sync", written[-1]["epoch"], written[-1]["seq"])
    assert drop_all(till) == 0  # the aggregator has said nothing
    till.cursor("aggregator", written[4]["epoch"], written[4]["seq"])
    assert drop_all(till) == written[4]["seq"]
    (till.folder / "cursors" / "another.json").write_text("{")
    till.cursor("aggregator", written[-1]["epoch"], written[-1]["seq"])
    assert drop_all(till) == 0  # nobody knows how far the other one is


def test_the_newest_records_stay_and_with_them_the_ids_that_may_be_sent_again(till):
    [till.sell() for _ in range(20)]
    till.clock.wall += 500 * DAY
    everyone_has_all(till)
    drop_all(till)
    assert [one["seq"] for one in till.records()] == list(range(17, 22))
    found = till.ledger.find(till.records()[0]["sale_id"])
    assert found == till.records()[0]


def test_a_record_made_before_the_clock_was_set_is_not_taken_for_an_old_one(till):
    till.clock.trusted = False
    till.clock.wall -= 20_000 * DAY
    [till.sell() for _ in range(20)]
    till.clock.trusted = True
    till.clock.wall += 20_000 * DAY
    [till.sell() for _ in range(10)]
    everyone_has_all(till)
    assert drop_all(till) == 0
    till.clock.wall += 401 * DAY
    [till.sell() for _ in range(5)]
    everyone_has_all(till)
    assert drop_all(till) > 20


def test_a_ledger_that_began_before_the_clock_was_set_is_not_taken_for_an_old_one(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "KEPT", 5)
    monkeypatch.setattr(till_ledger, "NOON", 700 * DAY)
    monkeypatch.setattr(till_ledger.SetClock, "synchronized", lambda clock: clock.wall > 10_000 * DAY)
    till = LedgerInTest(tmp_path)
    [till.sell() for _ in range(20)]
    till.clock.wall += 20_000 * DAY
    [till.sell() for _ in range(10)]
    everyone_has_all(till)
    assert drop_all(till) == 0
    till.ledger.connection.close()


def test_a_whole_epoch_can_go_and_receipts_of_the_rest_are_found(till):
    [till.sell() for _ in range(8)]
    (till.folder / "machine-id").write_text("another")
    till.reopen()
    recent = [till.sell() for _ in range(12)]
    till.clock.wall += 500 * DAY
    everyone_has_all(till)
    assert drop_all(till) == 9 + 8
    assert {one["epoch"] for one in till.records()} == {recent[0]["epoch"]}


def test_a_till_that_sells_drops_what_is_old_and_what_stays_verifies_and_outlives_a_restart(pos, clock):
    pos.configuration.update(retention_check_seconds=0.05, retention_days=0)
    pos.assign()
    pos.start()
    with ThreadPoolExecutor(16) as terminals:
        receipts = list(terminals.map(lambda _: pos.sell(sale()).json(), range(retention.KEPT + 100)))
    last = max(receipts, key=lambda receipt: receipt["seq"])
    pos.data.joinpath("cursors").mkdir()
    for consumer, seq in (("sync", last["seq"]), ("aggregator", last["seq"] - 40 - retention.KEPT)):
        write_json(
            pos.data / "cursors" / f"{consumer}.json", {"epoch": last["epoch"], "seq": seq, "time": "t"}
        )
    pos.configure(retention_days=1)
    wait_for(lambda: "retention_days" in pos.log(), pos.log)
    assert pos.sell(sale()).status_code == 201
    assert len(records(pos)) == last["seq"] + 1  # nothing of today goes
    clock.move_clock(3 * 86_400)
    wait_for(lambda: len(records(pos)) < retention.KEPT + 50, pos.log)
    newest = pos.sell(sale()).json()
    left = records(pos)
    assert record.first_break(left) is None
    assert left[0]["seq"] == last["seq"] - 40 - retention.KEPT + 1  # what the aggregator lacks stays
    assert left[-1]["hash"] == newest["hash"]
    with LedgerReader(pos.data / "ledger.db") as reader:
        assert reader.dropped(last["epoch"]) == (left[0]["seq"] - 1, left[0]["prev_hash"])
    pos.kill()
    pos.start()
    assert pos.sell(sale()).status_code == 201
    later = records(pos)
    assert record.first_break(later) is None
    assert later[len(left)]["prev_hash"] == newest["hash"]
    assert not list(pos.data.glob("set-aside/*"))


def test_a_cited_receipt_is_read_strictly():
    with pytest.raises(ValueError, match="hash"):
        CitedReceipt.model_validate({"thing": "t", "epoch": "0" * 16, "seq": 1, "hash": "0"})
