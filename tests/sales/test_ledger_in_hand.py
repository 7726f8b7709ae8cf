"""A dead till's ledger: what is wrong with it is named, and what the cloud lacks comes there once."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import apsw
import pytest
from typer.testing import CliRunner

from edge_components.edgekit import keys, record
from greentill import sales as commands
from sales.reconcile import reconcile
from sales.till_ledger.check import check
from sales.till_ledger.delivery import DeliveryError, recover
from sales.till_ledger.file import LedgerFileError
from tests.sales.chains import EPOCH, LATER, THING, chain, segment
from tests.sales.ledgers import alter, write_ledger


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return chain(sales=9)


@pytest.fixture
def card(tmp_path: Path, records: list[dict[str, Any]]) -> Path:
    return write_ledger(tmp_path / "ledger.db", records)


def faults(path: Path) -> list[str]:
    return [str(fault) for fault in check(path).faults]


def test_a_whole_ledger_is_sound_and_counted_with_what_only_its_wal_holds(card: Path) -> None:
    report = check(card)
    assert report.sound
    assert (report.thing, report.records) == (THING, 10)
    [epoch] = report.epochs
    assert (epoch.first, epoch.last, epoch.sales, epoch.money) == (1, 10, 9, sum(range(2, 11)) * 100)
    assert (epoch.first_receipt, epoch.last_receipt) == ("A-000000001", "A-000000009")


def test_checking_leaves_the_files_as_they_are(card: Path) -> None:
    before = {file.name: file.read_bytes() for file in card.parent.iterdir()}
    check(card)
    assert {file.name: file.read_bytes() for file in card.parent.iterdir()} == before


def test_one_altered_record_is_named_by_epoch_and_seq(card: Path) -> None:
    alter(card, EPOCH, 5, """record = replace(record, '"total":500', '"total":900')""")
    assert faults(card) == [f"epoch {EPOCH} seq 5: the hash is not that of the record"]


@pytest.mark.parametrize("value", ["NULL", "x'ff00'", "1.5", "'[]'"])
@pytest.mark.parametrize("column", ["record", "receipt_no", "seq", "hash", "recorded_at", "kind"])
def test_a_column_that_holds_something_else_is_a_fault_and_the_rest_is_checked(
    card: Path, column: str, value: str
) -> None:
    try:
        alter(card, EPOCH, 5, f"{column} = {value}")
    except apsw.ConstraintError:
        return  # SQLite itself keeps it out
    report = check(card)
    assert not report.sound
    assert report.epochs[0].last == 10


def test_a_record_altered_with_a_hash_to_match_no_longer_fits_the_next_one(
    card: Path, records: list[dict[str, Any]]
) -> None:
    forged = record.seal({**records[4], "cashier": "C9"})
    alter(card, EPOCH, 5, f"hash = '{forged['hash']}', record = '{record.canonical(forged).decode()}'")
    assert faults(card) == [
        f"epoch {EPOCH} seq 6: it does not follow from seq 5: prev_hash is not that one's hash"
    ]


def test_columns_that_differ_from_their_record_are_named(card: Path) -> None:
    alter(card, EPOCH, 5, "business_date = '2020-01-01'")
    assert faults(card) == [f"epoch {EPOCH} seq 5: its columns business_date differ from the record"]


def test_missing_records_are_named_where_the_next_one_lies(
    tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    card = write_ledger(tmp_path / "ledger.db", [*records[:4], *records[6:]])
    assert faults(card) == [f"epoch {EPOCH} seq 7: seq 5 to 6 before it is missing"]


def test_a_receipt_that_does_not_follow_is_named(tmp_path: Path) -> None:
    records = chain(sales=4)
    renumbered = record.seal({**records[3], "receipt_no": "A-000000009"})
    last = record.seal({**records[4], "prev_hash": renumbered["hash"]})
    card = write_ledger(tmp_path / "ledger.db", [*records[:3], renumbered, last])
    assert f"epoch {EPOCH} seq 4: receipt A-000000009 does not follow A-000000002" in faults(card)


def test_an_epoch_that_ended_earlier_than_the_next_one_knew_is_named(tmp_path: Path) -> None:
    first = chain(sales=5)
    end = {name: first[-1][name] for name in ("epoch", "seq", "hash")}
    later = chain(epoch=LATER, sales=2, previous=end)
    later = [record.seal({**one, "sale_id": one["sale_id"] and one["sale_id"] + "-b"}) for one in later]
    card = write_ledger(tmp_path / "ledger.db", [*first[:-1], *later[:1]])
    assert f"epoch {LATER} seq 1: epoch {EPOCH} ended with seq 6, found is 5" in faults(card)


def test_a_ledger_whose_oldest_records_retention_dropped_is_sound(
    tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    report = check(write_ledger(tmp_path / "ledger.db", records[4:]))
    assert report.sound
    assert "retention" in report.notes[0]


@pytest.mark.parametrize(
    ("dropped", "fault"),
    [
        (4, None),
        (3, f"epoch {EPOCH} seq 5: seq 4 to 4 before it are missing"),
        (None, f"epoch {EPOCH} seq 5: it does not follow from seq 4, which retention dropped"),
    ],
)
def test_what_retention_left_must_go_on_from_what_it_dropped(
    tmp_path: Path, records: list[dict[str, Any]], dropped: int | None, fault: str | None
) -> None:
    card = write_ledger(tmp_path / "ledger.db", records[4:], in_wal=0)
    kept = (EPOCH, dropped, records[dropped - 1]["hash"]) if dropped else (EPOCH, 4, "ab" * 32)
    connection = apsw.Connection(str(card))
    connection.execute("CREATE TABLE dropped(epoch TEXT PRIMARY KEY, seq INTEGER, hash TEXT)").fetchall()
    connection.execute("INSERT INTO dropped VALUES (?, ?, ?)", kept).fetchall()
    connection.close()
    assert faults(card) == ([fault] if fault else [])


def test_records_on_both_sides_of_a_damaged_page_are_still_read(tmp_path: Path) -> None:
    card = write_ledger(tmp_path / "ledger.db", chain(sales=400), in_wal=0)
    _break_a_page_in_the_middle(card)
    report = check(card)
    assert not report.sound
    assert any("SQLite finds" in str(fault) for fault in report.faults)
    assert report.epochs[0].first == 1
    assert report.epochs[0].last == 401
    assert 300 < report.records < 401


def _break_a_page_in_the_middle(path: Path) -> None:
    connection = apsw.Connection(str(path))
    size = connection.pragma("page_size")
    sql = "SELECT pageno FROM dbstat WHERE name = 'records' AND pagetype = 'leaf' ORDER BY path"
    try:
        leaves = [row[0] for row in connection.execute(sql)]
    finally:
        connection.close()
    with path.open("r+b") as file:
        file.seek((leaves[len(leaves) // 2] - 1) * size)
        file.write(b"\xff" * size)


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"SQLite format 3\0" + b"\0" * 100])
def test_what_is_no_ledger_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(content)
    with pytest.raises(LedgerFileError):
        check(file)


def test_a_ledger_that_was_copied_in_part_is_to_be_copied_again(card: Path) -> None:
    os.truncate(card, 1_000)
    with pytest.raises(LedgerFileError, match=r"copy it again from the card, whole, with ledger\.db-wal"):
        check(card)


def test_the_command_names_the_altered_record_and_exits_1(card: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(commands.app, ["verify", str(card)]).exit_code == 0
    alter(card, EPOCH, 7, """record = replace(record, '"total":700', '"total":701')""")
    result = runner.invoke(commands.app, ["verify", str(card), "--json"])
    assert result.exit_code == 1
    [fault] = json.loads(result.stdout)["faults"]
    assert (fault["epoch"], fault["seq"]) == (EPOCH, 7)


def test_nothing_is_delivered_unless_asked(fleet, shelf, card: Path) -> None:
    recovery = recover(card, fleet, deliver=False)
    assert (recovery.missing_in_table, recovery.missing_in_bucket) == (10, 10)
    assert recovery.money_missing_in_table == sum(range(2, 11)) * 100
    assert not recovery.complete
    assert fleet.dynamodb.scan(TableName=shelf.table)["Items"] == []


def test_the_money_of_a_dead_till_that_was_missing_is_there_after_recovery_once(
    fleet, shelf, card: Path, records: list[dict[str, Any]]
) -> None:
    shelf.deliver(records[:6], per_segment=3)
    before = reconcile(fleet, thing=THING).tills[0].money_in_table
    recovery = recover(card, fleet, deliver=True)
    assert (recovery.missing_in_table, recovery.missing_in_bucket) == (4, 4)
    assert recovery.complete
    verdict = reconcile(fleet, thing=THING)
    assert verdict.clean
    [till] = verdict.tills
    assert (till.head_seq, till.in_table, till.in_bucket) == (10, 10, 10)
    assert till.money_in_table == before + (700 + 800 + 900 + 1000)
    assert till.money_in_bucket == till.money_in_table


def test_recovering_twice_changes_nothing(fleet, shelf, card: Path) -> None:
    recover(card, fleet, deliver=True)
    again = recover(card, fleet, deliver=True)
    assert (again.missing_in_table, again.missing_in_bucket) == (0, 0)
    assert reconcile(fleet, thing=THING).clean


def test_of_a_damaged_ledger_the_records_that_verify_are_salvaged(fleet, shelf, card: Path) -> None:
    shelf.register(THING)
    alter(card, EPOCH, 5, """record = replace(record, '"total":500', '"total":900')""")
    recovery = recover(card, fleet, deliver=True)
    assert not recovery.complete
    assert recovery.sound == 9
    [finding] = [found for found in reconcile(fleet, thing=THING).findings if "neither" in found.kind]
    assert (finding.epoch, finding.seq, finding.last) == (EPOCH, 5, 5)


def test_another_record_in_the_cloud_under_the_same_number_is_told_and_kept(
    fleet, shelf, card: Path, records: list[dict[str, Any]]
) -> None:
    shelf.deliver(records)
    other = record.seal({**records[4], "cashier": "C9"})
    shelf.drop_item(records[4])
    shelf.put_item(other)
    recovery = recover(card, fleet, deliver=True)
    assert recovery.conflicts == [f"epoch {EPOCH} seq 5: the table holds another record, {other['hash'][:8]}"]
    assert not recovery.complete
    key = {"pk": {"S": THING}, "sk": {"S": keys.sort_key(EPOCH, 5, other["hash"])}}
    assert "Item" in fleet.dynamodb.get_item(TableName=shelf.table, Key=key)


def test_segments_are_made_only_of_what_no_segment_covers(
    fleet, shelf, card: Path, records: list[dict[str, Any]]
) -> None:
    shelf.put_segment(*segment(records[3:6]))
    recover(card, fleet, deliver=True)
    listed = fleet.s3.list_objects_v2(Bucket=shelf.bucket)["Contents"]
    spans = sorted(
        (found.first, found.last) for found in (keys.parse_segment_key(one["Key"]) for one in listed)
    )
    assert spans == [(1, 3), (4, 6), (7, 10)]


def test_a_ledger_of_another_fleet_is_refused(fleet, shelf, tmp_path: Path) -> None:
    card = write_ledger(tmp_path / "ledger.db", chain(thing="other-LAB00001"))
    with pytest.raises(DeliveryError, match="no till of greentill"):
        recover(card, fleet, deliver=True)


def test_a_text_that_a_card_has_changed_into_none_is_a_fault_and_the_rest_is_recovered(
    fleet, shelf, card: Path
) -> None:
    alter(card, EPOCH, 5, "record = CAST(replace(CAST(record AS BLOB), 'cash', x'f5') AS TEXT)")
    alter(card, EPOCH, 7, "receipt_no = CAST(x'f5' AS TEXT)")
    report = check(card)
    assert report.records == 10
    assert {fault.seq for fault in report.faults} == {5, 7, 8}  # the next one's receipt follows nothing
    recovery = recover(card, fleet, deliver=True)
    assert (recovery.sound, recovery.missing_in_table) == (9, 9)  # of the second, the record is whole


def test_what_a_card_sold_while_its_old_image_sold_on_elsewhere_reaches_both_places(
    fleet, shelf, tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    shelf.deliver(records, per_segment=3)  # what another machine with the same image has sold
    own = records[:5]
    for one in records[5:]:
        own.append(record.seal({**one, "sale_id": f"{one['sale_id']}-own", "prev_hash": own[-1]["hash"]}))
    recovery = recover(write_ledger(tmp_path / "own.db", own), fleet, deliver=True)
    assert (len(recovery.conflicts), recovery.missing_in_table, recovery.missing_in_bucket) == (5, 5, 5)
    lines = [
        line
        for one in fleet.s3.list_objects_v2(Bucket=shelf.bucket)["Contents"]
        for line in gzip.decompress(
            fleet.s3.get_object(Bucket=shelf.bucket, Key=one["Key"])["Body"].read()
        ).splitlines()
    ]
    assert sorted(lines) == sorted(record.canonical(one) for one in (*records, *own[5:]))
