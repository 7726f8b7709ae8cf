"""What the cloud must hold, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Callable

import apsw
import pytest

from edge_components.edgekit.ledger import LedgerReader
from edge_components.sync.bucket import segment
from edge_components.sync.progress import Cursor
from tests.sync.till import EPOCH, LATER_EPOCH, Till


def test_every_record_arrives_once_in_both_places(till: Till) -> None:
    till.ledger.sell(57)
    assert till.drain() == []
    till.everything_is_there_once()


def test_an_item_carries_what_others_look_up_and_leaves_nulls_out(till: Till) -> None:
    till.ledger.sell(1, total=1234, receipt_no="T1-000000001")
    till.drain()
    sale = next(item for item in till.items() if item.get("kind") == {"S": "sale"})
    record = till.ledger.records[-1]
    assert sale["sk"]["S"] == f"{EPOCH}#000000000002#{record['hash'][:8]}"
    assert sale["store_date"]["S"] == "ST-1#2026-11-21"
    assert (sale["seq"]["N"], sale["total"]["N"], sale["currency"]["S"]) == ("2", "1234", "USD")
    assert json.loads(sale["record"]["S"]) == record
    opened = next(item for item in till.items() if item.get("kind") == {"S": "epoch_opened"})
    assert {"sale_id", "receipt_no", "currency", "total"}.isdisjoint(opened)


def test_the_head_says_the_last_record_and_never_goes_back(till: Till) -> None:
    till.ledger.sell(30)
    till.drain()
    head = till.head()
    assert head is not None
    assert (head["epoch"]["S"], head["seq"]["N"]) == (EPOCH, "31")
    assert head["hash"]["S"] == till.ledger.records[-1]["hash"]
    ahead = {**head, "seq": {"N": "99"}}
    till.client("dynamodb").put_item(TableName=till.settings.sales_table, Item=ahead)
    till.ledger.sell(1)
    till.drain()
    assert till.head() == ahead


def test_the_head_is_written_after_a_crash_that_came_before_it(till: Till) -> None:
    till.ledger.sell(3)
    till.table.step()
    till.restart()
    till.drain()
    assert till.head() is not None


def test_a_segment_holds_one_business_date_and_one_epoch(till: Till) -> None:
    till.ledger.sell(3)
    till.ledger.sell(3, business_date="2026-11-22")
    till.ledger.open_epoch(LATER_EPOCH, business_date="2026-11-22")
    till.ledger.sell(2, business_date="2026-11-22")
    till.drain()
    till.everything_is_there_once()
    for key, lines in till.segments().items():
        records = [json.loads(line) for line in lines]
        assert {record["business_date"] for record in records} == {key.split("date=")[1][:10]}
        assert len({record["epoch"] for record in records}) == 1
    assert len(till.segments()) == 3


def test_a_segment_that_is_young_and_not_full_stays_open(till: Till) -> None:
    till.stop()
    till.settings = type(till.settings)(**{**vars(till.settings), "segment_seconds": 86_400.0})
    till.start()
    now = "2999-01-01T00:00:00.000000Z"  # the till's clock is ahead: the age by the record is negative
    till.ledger.records.clear()
    till.ledger.open_epoch(LATER_EPOCH, recorded_at=now)
    till.ledger.sell(8, recorded_at=now)
    till.drain()
    assert not any(LATER_EPOCH in key for key in till.segments())
    till.ledger.sell(1, recorded_at=now)
    till.drain()
    assert [len(lines) for key, lines in till.segments().items() if LATER_EPOCH in key] == [10]


def test_records_of_an_epoch_that_sorts_before_the_last_one_are_not_passed_over(till: Till) -> None:
    till.ledger.sell(3)
    till.drain()
    till.ledger.open_epoch("0000000000000001")
    till.ledger.sell(3)
    till.drain()
    till.everything_is_there_once()


def test_a_segment_fixed_before_a_crash_is_put_as_it_was_fixed(till: Till) -> None:
    till.ledger.sell(4)
    till.bucket.step()
    fixed = till.state.fixed()
    assert fixed is not None
    assert till.segments() == {}
    till.restart()
    till.ledger.sell(3)
    till.drain()
    assert (fixed.key, fixed.last) == (min(till.segments()), 5)
    till.everything_is_there_once()


def test_a_lost_state_adopts_the_segments_that_lie_in_the_bucket(till: Till) -> None:
    till.ledger.sell(4)
    till.drain()
    till.ledger.sell(4)
    till.drain()
    before = till.segments()
    till.ledger.sell(7)
    till.restart(losing_state=True)
    till.drain()
    assert before.items() <= till.segments().items()
    till.everything_is_there_once()


def scribbled(content: bytes) -> bytes:
    return b"this is no database" * 1000


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_a_torn_page(content: bytes) -> bytes:
    return content[:4096] + b"\xa5" * 4096 + content[8192:]


@pytest.mark.parametrize("damage", [scribbled, torn, with_a_torn_page])
def test_a_damaged_state_is_kept_aside_and_replaced(till: Till, damage: Callable[[bytes], bytes]) -> None:
    till.ledger.sell(4)
    till.drain()
    till.stop()
    database = till.settings.database
    database.write_bytes(damage(database.read_bytes()))
    till.start()
    till.ledger.sell(4)
    till.drain()
    till.everything_is_there_once()
    assert list(till.settings.data_dir.glob("sync.db.damaged-*"))


def test_other_content_under_a_segments_key_is_neither_overwritten_nor_in_the_way(till: Till) -> None:
    till.ledger.sell(4)
    till.bucket.step()
    fixed = till.state.fixed()
    assert fixed is not None
    till.client("s3").put_object(Bucket=till.settings.sales_bucket, Key=fixed.key, Body=b"something else")
    till.bucket.step()
    kept = till.client("s3").get_object(Bucket=till.settings.sales_bucket, Key=fixed.key)["Body"].read()
    assert kept == b"something else"
    aside = till.settings.refused / fixed.key.rpartition("/")[2]
    assert aside.read_bytes() == fixed.body
    assert till.state.fixed() is None


def test_the_cursor_is_what_both_sinks_have(till: Till) -> None:
    cursor = Cursor(till.settings.cursor, LedgerReader(till.settings.ledger), till.state)
    till.ledger.sell(4)
    while till.table.step():
        assert cursor.passed() is None
    till.drain()
    assert cursor.passed() == (EPOCH, 5)
    till.ledger.sell(2)
    till.bucket.step()
    till.bucket.step()
    assert cursor.passed() == (EPOCH, 5)
    till.drain()
    assert cursor.passed() == (EPOCH, 7)


def test_a_segments_bytes_do_not_tell_when_it_was_made(till: Till) -> None:
    rows = LedgerReader(till.settings.ledger).after("", 0)
    assert segment(till.settings.thing, rows).body[4:8] == bytes(4)  # the time in a gzip header


def keep_image(till: Till) -> bytes:
    """What an image of the card holds of sync's state; the till is off meanwhile."""
    till.stop()
    state = till.settings.database.read_bytes()
    till.start()
    return state


def restore(till: Till, state: bytes | None, upto: int) -> None:
    """Put an old image of the card back: the ledger ends at `upto`; without a state that is lost too."""
    till.stop()
    for suffix in ("", "-wal", "-shm"):
        till.settings.database.with_name(f"sync.db{suffix}").unlink(missing_ok=True)
    if state is not None:
        till.settings.database.write_bytes(state)
    with apsw.Connection(str(till.settings.ledger)) as connection:
        connection.execute("DELETE FROM records WHERE seq > ?", (upto,)).fetchall()
    del till.ledger.records[upto:]
    till.start()


@pytest.mark.parametrize("losing_state", [False, True])
def test_an_old_image_of_the_card_puts_no_record_into_a_second_segment(
    till: Till, *, losing_state: bool
) -> None:
    till.ledger.sell(4)
    till.drain()
    state = keep_image(till)
    till.ledger.sell(3)  # which the image has as well, though no segment of them
    before = till.rung_up()
    till.ledger.sell(4)
    till.drain()
    everything = till.rung_up()
    restore(till, None if losing_state else state, upto=8)
    assert till.rung_up() == before
    till.ledger.open_epoch(LATER_EPOCH)  # as pos does when it hears of the cloud's head
    till.ledger.sell(2)
    till.drain()
    assert till.in_bucket() == till.in_table() == everything | till.rung_up()
    till.restart(losing_state=True)
    till.drain()
    assert till.in_bucket() == everything | till.rung_up()


def test_what_an_old_image_sold_instead_lies_beside_what_it_does_not_know(till: Till) -> None:
    till.ledger.sell(4)
    till.drain()
    state = keep_image(till)
    till.ledger.sell(7)
    till.drain()
    everything = till.rung_up()
    restore(till, state, upto=8)
    till.ledger.sell(3)  # under numbers that the cloud has
    till.drain()
    assert till.in_bucket() == till.in_table() == everything | till.rung_up()


def test_a_fixed_segment_is_fixed_anew_behind_what_was_recovered_from_its_ledger(till: Till) -> None:
    till.ledger.sell(9)
    till.bucket.step()
    rows = LedgerReader(till.settings.ledger).after("", 0)
    recovered = segment(till.settings.thing, rows[:6])
    till.client("s3").put_object(Bucket=till.settings.sales_bucket, Key=recovered.key, Body=recovered.body)
    till.restart()
    till.ledger.sell(2)
    till.drain()
    till.everything_is_there_once()
