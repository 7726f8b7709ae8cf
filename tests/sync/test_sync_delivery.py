"""What the cloud must hold, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Callable

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
