"""The sums are those of the ledger, whatever is repeated, late, lost or cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_components.aggregator.aggregation import Aggregation
from edge_components.aggregator.database import Database
from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError
from tests.aggregator.ledger_in_front import EPOCH, LATER, GrowingLedger, expected, rollups_in


class Till:
    """A ledger, and an aggregator that can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = GrowingLedger(folder / "ledger.db")
        self.ledger.open_epoch()
        self.start()

    def start(self) -> None:
        self.reader = LedgerReader(self.folder / "ledger.db")
        self.database = Database(self.folder / "rollups.db")
        self.aggregation = Aggregation(self.reader, self.database)

    def stop(self) -> None:
        self.reader.close()
        self.database.close()

    def forget(self) -> None:
        self.stop()
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"rollups.db{suffix}").unlink(missing_ok=True)
        self.start()

    def count(self) -> dict[str, dict[str, Any]]:
        while self.aggregation.step():
            pass
        return self.found()

    def found(self) -> dict[str, dict[str, Any]]:
        return rollups_in(self.folder / "rollups.db")

    def end(self) -> None:
        self.stop()
        self.ledger.close()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    till = Till(tmp_path)
    yield till
    till.end()


def test_an_hour_and_a_business_date_hold_what_was_sold_refunded_and_voided(till: Till) -> None:
    till.ledger.ring(terminal="T1")
    till.ledger.ring(terminal="T2", lines=[("DAIRY", 120)], payments=[("card", 100), ("coupon", 20)])
    till.ledger.ring("refund", lines=[("DAIRY", 50)])
    till.ledger.ring("void", lines=[("DAIRY", 120)], payments=[("card", 100), ("coupon", 20)])
    till.ledger.append("cash_movement", {"amount": 5000, "currency": "USD", "reason": "float"})
    found = till.count()
    assert found == expected(till.ledger.records)
    day = found[f"{EPOCH}#day#2026-11-21"]
    assert (day["sales"], day["refunds"], day["voids"], day["net"], day["count"]) == (670, -50, -120, 500, 4)
    assert day["by_department"] == [
        {"key": "BAKERY", "amount": 250, "count": 1},
        {"key": "DAIRY", "amount": 250, "count": 4},
    ]
    assert set(found) == {f"{EPOCH}#day#2026-11-21", f"{EPOCH}#hour#2026-11-21T09"}


def test_a_clock_step_and_a_late_record_change_the_bucket_that_they_belong_to(till: Till) -> None:
    till.ledger.ring(recorded_at="2026-11-21T09:59:59.999999Z")
    till.count()
    till.ledger.ring(recorded_at="2026-11-21T12:00:00.000000Z", business_date="2026-11-22")
    till.ledger.append("clock_step", {"milliseconds": -10_800_000})
    till.ledger.ring(recorded_at="2026-11-21T09:00:01.000000Z", business_date="2026-11-22")
    found = till.count()
    assert found == expected(till.ledger.records)
    assert found[f"{EPOCH}#hour#2026-11-21T09"]["count"] == 2
    assert found[f"{EPOCH}#day#2026-11-22"]["count"] == 2


def test_a_version_only_grows_and_changes_when_the_bucket_does(till: Till) -> None:
    till.ledger.ring()
    first = till.count()[f"{EPOCH}#day#2026-11-21"]["version"]
    till.ledger.append("no_sale", {"reason": "change"})
    assert till.count()[f"{EPOCH}#day#2026-11-21"]["version"] == first
    till.ledger.ring()
    assert till.count()[f"{EPOCH}#day#2026-11-21"]["version"] > first


def test_sales_in_another_currency_show_as_such(till: Till) -> None:
    till.ledger.ring(lines=[("DAIRY", 100)])
    till.ledger.ring(lines=[("DAIRY", 900)], currency="JPY")
    day = till.count()[f"{EPOCH}#day#2026-11-21"]
    assert [(one["key"], one["amount"]) for one in day["by_currency"]] == [("JPY", 900), ("USD", 100)]


def test_a_lost_database_is_made_again_with_the_same_bytes(till: Till) -> None:
    for number in range(303):
        till.ledger.ring(recorded_at=f"2026-11-21T{number % 24:02d}:00:00.000000Z", terminal=f"T{number % 3}")
    till.ledger.open_epoch(LATER)
    till.ledger.ring()
    before = till.count()
    assert before == expected(till.ledger.records)
    till.forget()
    assert till.count() == before


def test_a_damaged_database_is_made_again(till: Till) -> None:
    till.ledger.ring()
    before = till.count()
    till.stop()
    (till.folder / "rollups.db").write_bytes(b"not a database" * 400)
    till.start()
    assert till.count() == before


def test_sums_and_cursor_move_together_when_the_process_ends_in_the_middle(till: Till) -> None:
    for _ in range(250):
        till.ledger.ring()
    till.aggregation.step()
    partly = till.found()[f"{EPOCH}#day#2026-11-21"]["count"]
    assert 0 < partly < 250
    till.stop()  # and here it would have ended
    till.start()
    assert till.count() == expected(till.ledger.records)


def test_a_failed_write_moves_neither_sums_nor_cursor(till: Till) -> None:
    till.ledger.ring()
    till.count()
    till.ledger.ring()
    blocker = apsw.Connection(str(till.folder / "rollups.db"))
    blocker.execute(
        "CREATE TRIGGER full BEFORE INSERT ON cursor BEGIN SELECT raise(ABORT, 'disk full'); END"
    ).fetchall()
    before = till.found()
    with pytest.raises(apsw.Error):
        till.aggregation.step()
    assert till.found() == before
    blocker.execute("DROP TRIGGER full").fetchall()
    blocker.close()
    assert till.count() == expected(till.ledger.records)


def test_an_epoch_that_sorts_before_one_that_is_counted_is_counted_too(till: Till) -> None:
    till.ledger.ring()
    till.count()
    till.ledger.open_epoch("0000000000000001")
    till.ledger.ring()
    assert till.count() == expected(till.ledger.records)


def test_a_ledger_that_lost_its_tail_and_went_on_is_counted_again(till: Till) -> None:
    for _ in range(5):
        till.ledger.ring()
    till.count()
    till.ledger.drop_from(EPOCH, 4)
    for _ in range(3):
        till.ledger.ring(lines=[("MEAT", 999)])
    assert till.count() == expected(till.ledger.records)


def test_what_retention_drops_stays_in_the_sums(till: Till) -> None:
    for day in (1, 2, 3):
        for _ in range(4):
            till.ledger.ring(business_date=f"2026-11-0{day}", recorded_at=f"2026-11-0{day}T10:00:00.000000Z")
    before = till.count()
    till.ledger.drop_before(EPOCH, 8)
    assert till.count() == before
    till.ledger.ring(business_date="2026-11-03", recorded_at="2026-11-03T11:00:00.000000Z")
    assert till.count() == expected(till.ledger.records)


def test_retention_up_to_the_last_counted_record_changes_no_sum(till: Till) -> None:
    for _ in range(3):
        till.ledger.ring()
    till.count()
    till.ledger.ring()
    till.ledger.drop_before(EPOCH, 5)
    assert till.count() == expected(till.ledger.records)


def test_sums_that_lack_dropped_records_are_not_made_anew_and_the_others_are(till: Till) -> None:
    for day in (1, 2, 3):
        for _ in range(4):
            till.ledger.ring(business_date=f"2026-11-0{day}", recorded_at=f"2026-11-0{day}T10:00:00.000000Z")
    whole = till.count()
    till.ledger.drop_before(EPOCH, 8)  # in the middle of the second day
    till.forget()
    found = till.count()
    assert found == {
        bucket: one for bucket, one in whole.items() if bucket.endswith(("#2026-11-03", "-03T10"))
    }


def test_counting_again_after_retention_doubles_nothing_in_the_sums_that_are_kept(till: Till) -> None:
    for day in (1, 2, 3):
        for _ in range(4):
            till.ledger.ring(business_date=f"2026-11-0{day}", recorded_at=f"2026-11-0{day}T10:00:00.000000Z")
    till.count()
    till.ledger.drop_before(EPOCH, 8)  # in the middle of the second day
    till.ledger.drop_from(EPOCH, 13)
    till.ledger.ring("refund", business_date="2026-11-03", recorded_at="2026-11-03T10:00:00.000000Z")
    assert till.count() == expected(till.ledger.records)


def test_a_record_that_can_not_be_added_up_blocks_nothing_and_is_named(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    till.ledger.ring()
    broken = till.ledger.append("sale", {"currency": "USD", "lines": None, "totals": {"total": 1}})
    till.ledger.ring(lines=[("DAIRY", 2**53 - 1)])
    till.ledger.ring()
    found = till.count()
    assert found[f"{EPOCH}#day#2026-11-21"]["count"] == 2
    assert f"ALARM epoch {EPOCH} seq {broken['seq']} is in no sum" in caplog.text
    skipped = apsw.Connection(str(till.folder / "rollups.db")).execute("SELECT seq FROM skipped ORDER BY seq")
    assert [seq for (seq,) in skipped] == [broken["seq"], broken["seq"] + 1]


def test_what_is_passed_is_the_last_record_without_a_gap_over_epochs(till: Till) -> None:
    assert till.aggregation.passed() is None
    for _ in range(250):
        till.ledger.ring()
    till.ledger.open_epoch(LATER)
    till.aggregation.step()
    passed = till.aggregation.passed()
    assert passed is not None
    assert (passed[0], passed[1] < 251) == (EPOCH, True)
    till.count()
    assert till.aggregation.passed() == (LATER, 1)


def test_before_the_first_sale_there_is_nothing_to_count(tmp_path: Path) -> None:
    database = Database(tmp_path / "rollups.db")
    with pytest.raises(LedgerUnavailableError):
        Aggregation(LedgerReader(tmp_path / "ledger.db"), database).step()
    database.close()


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("ring"),
            st.sampled_from(["sale", "refund", "void"]),
            st.integers(0, 30),
            st.sampled_from(["T1", "T2"]),
            st.lists(st.tuples(st.sampled_from(["A", "B", None, "é"]), st.integers(-500, 500)), max_size=4),
        ),
        st.tuples(
            st.sampled_from(["count", "step", "restart", "forget", "epoch", "lose tail", "other kind"])
        ),
    ),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(events=EVENTS)
def test_whatever_happens_in_whatever_order_the_sums_are_those_of_the_ledger(
    tmp_path_factory: pytest.TempPathFactory, events: list[Any]
) -> None:
    till = Till(tmp_path_factory.mktemp("till"))
    epochs = iter(f"{number:016x}" for number in range(0xC1, 0xFFF))
    for event in events:
        match event:
            case ("ring", kind, hour, terminal, lines):
                till.ledger.ring(
                    kind,
                    lines=lines,
                    terminal=terminal,
                    recorded_at=f"2026-11-{20 + hour // 24}T{hour % 24:02d}:00:00.000000Z",
                    business_date=f"2026-11-{20 + hour // 20}",
                )
            case ("count",):
                till.count()
            case ("step",):
                till.aggregation.step()
            case ("restart",):
                till.stop()
                till.start()
            case ("forget",):
                till.forget()
            case ("epoch",):
                till.ledger.open_epoch(next(epochs))
            case ("lose tail",):
                last = till.ledger.records[-1]
                if last["seq"] > 1:
                    till.ledger.drop_from(last["epoch"], last["seq"])
            case _:
                till.ledger.append("no_sale", {"reason": json.dumps(event)})
    assert till.count() == expected(till.ledger.records)
    till.end()
