"""Each way in which the cloud can be wrong is found, and named by till, epoch and seq."""

import gzip
from typing import Any

import pytest

from edge_components.edgekit import record
from sales.findings import Group, Kind
from sales.journal import Entry
from sales.reconcile import UnknownTillError, find_till, reconcile
from tests.sales.chains import EPOCH, LATER, THING, chain, journal_line, segment


def only(verdict, kind):
    """The one finding of a kind."""
    found = [finding for finding in verdict.findings if finding.kind is kind]
    assert len(found) == 1, [str(finding) for finding in verdict.findings]
    return found[0]


def kinds(verdict):
    return {finding.kind for finding in verdict.findings}


def test_a_whole_delivery_is_clean_and_counted(fleet, shelf):
    shelf.deliver(chain(sales=9))
    verdict = reconcile(fleet)
    assert verdict.clean
    [till] = verdict.tills
    assert (till.in_table, till.in_bucket, till.sales_in_table, till.sales_in_bucket) == (10, 10, 9, 9)
    assert till.money_in_table == till.money_in_bucket == sum(range(2, 11)) * 100
    assert till.epochs == {EPOCH: 10}


def test_a_swallowed_write_to_the_table_is_lost_and_named(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    shelf.drop_item(records[5])
    verdict = reconcile(fleet)
    assert kinds(verdict) == {Kind.MISSING_IN_TABLE}
    assert (
        str(only(verdict, Kind.MISSING_IN_TABLE)) == f"till {THING} epoch {EPOCH} seq 6: missing in the table"
    )
    assert verdict.count(Group.LOST) == 1


def test_a_run_of_swallowed_writes_is_one_finding_that_counts_each(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    for content in records[3:7]:
        shelf.drop_item(content)
    verdict = reconcile(fleet)
    found = only(verdict, Kind.MISSING_IN_TABLE)
    assert (found.seq, found.last, verdict.count(Group.LOST)) == (4, 7, 4)


def test_a_missing_segment_is_lost(fleet, shelf):
    shelf.deliver(chain(), per_segment=4)
    shelf.drop_segment(sorted(shelf.segments)[1])
    found = only(reconcile(fleet), Kind.MISSING_IN_BUCKET)
    assert (found.seq, found.last) == (5, 8)


@pytest.mark.parametrize("where", [12, 200, -30, -6, -2])
def test_a_swapped_byte_anywhere_in_a_segment_is_found_and_named(fleet, shelf, where):
    shelf.deliver(chain(), per_segment=4)
    key = sorted(shelf.segments)[1]
    body = bytearray(shelf.segments[key])
    body[where] ^= 0x20
    shelf.put_segment(key, bytes(body))
    verdict = reconcile(fleet)
    damaged = [
        finding for finding in verdict.findings if finding.kind is Kind.DAMAGED and key in finding.detail
    ]
    assert damaged
    assert {(finding.thing, finding.epoch) for finding in verdict.findings} == {(THING, EPOCH)}
    assert all(finding.seq in range(5, 9) for finding in verdict.findings)


def test_a_swapped_byte_in_a_repacked_segment_breaks_the_hash_of_that_record(fleet, shelf):
    shelf.deliver(chain(), per_segment=4)
    key = sorted(shelf.segments)[1]
    text = gzip.decompress(shelf.segments[key]).replace(b'"total":700', b'"total":900')
    shelf.put_segment(key, gzip.compress(text, mtime=0))
    verdict = reconcile(fleet)
    found = only(verdict, Kind.HASH)
    assert (found.thing, found.epoch, found.seq, found.detail) == (THING, EPOCH, 7, "bucket")


def test_a_changed_item_breaks_the_hash_of_that_record(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    text = record.canonical(records[4]).decode().replace('"total":500', '"total":900')
    shelf.put_item(records[4], record={"S": text})
    found = only(reconcile(fleet), Kind.HASH)
    assert (found.seq, found.detail) == (5, "table")


def test_an_attribute_that_differs_from_its_record_is_named(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    shelf.put_item(records[4], business_date={"S": "2026-11-19"})
    assert "business_date" in only(reconcile(fleet), Kind.PLACE).detail


def test_a_record_of_another_till_among_a_tills_own_is_named(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    other = chain(thing="greentill-LAB00002")
    shelf.put_item(other[4], pk={"S": THING})
    verdict = reconcile(fleet, thing=THING)
    assert {Kind.PLACE, Kind.DOUBLED_IN_TABLE} <= kinds(verdict)


def test_two_records_at_one_place_are_doubled_even_with_sound_hashes(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    shelf.put_item(record.seal({**records[4], "cashier": "C9"}))
    verdict = reconcile(fleet)
    assert only(verdict, Kind.DOUBLED_IN_TABLE).seq == 5
    assert only(verdict, Kind.MISMATCH).seq == 5
    assert verdict.count(Group.DOUBLED) == 1


def test_overlapping_segments_are_doubled_for_each_record_that_they_share(fleet, shelf):
    records = chain()
    shelf.deliver(records, per_segment=4)
    shelf.put_segment(*segment(records[2:6]))
    verdict = reconcile(fleet)
    doubled = [finding.seq for finding in verdict.findings if finding.kind is Kind.DOUBLED_IN_BUCKET]
    assert doubled == [3, 4, 5, 6]
    assert kinds(verdict) == {Kind.DOUBLED_IN_BUCKET}


def test_a_record_that_does_not_follow_the_one_before_breaks_the_chain(fleet, shelf):
    records = chain()
    forged = [
        *records[:5],
        *(record.seal({**one, "prev_hash": "ab" * 32}) for one in records[5:6]),
        *records[6:],
    ]
    shelf.deliver(forged)
    verdict = reconcile(fleet)
    assert [f.seq for f in verdict.findings if f.kind is Kind.CHAIN] == [6, 7]


def test_a_segment_under_the_wrong_date_is_named(fleet, shelf):
    records = chain()
    shelf.deliver(records, per_segment=20)
    [key] = shelf.segments
    body = shelf.segments[key]
    shelf.drop_segment(key)
    shelf.put_segment(key.replace("date=2026-11-20", "date=2026-11-19"), body)
    assert Kind.PLACE in kinds(reconcile(fleet))


def test_an_object_whose_name_is_no_segment_is_named(fleet, shelf):
    shelf.deliver(chain())
    shelf.put_segment("sales/date=2026-11-20/till=x/notes.txt", b"hello")
    assert "notes.txt" in only(reconcile(fleet), Kind.PLACE).detail


def test_one_sale_in_two_tills_is_found_across_the_fleet(fleet, shelf):
    shelf.deliver(chain())
    other = chain(thing="greentill-LAB00002", sales=1)
    other[1] = record.seal({**other[1], "sale_id": f"{THING}-{EPOCH}-4"})
    shelf.deliver(other)
    found = only(reconcile(fleet), Kind.SOLD_TWICE)
    assert (found.thing, found.seq) == ("greentill-LAB00002", 2)
    assert f"till {THING} epoch {EPOCH} seq 4" in found.detail


def test_what_lies_after_the_head_is_unknown_and_no_fault(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    shelf.put_head(records[6])
    shelf.drop_item(records[8])
    verdict = reconcile(fleet)
    assert verdict.clean
    assert verdict.tills[0].after_head == 3


def test_records_missing_up_to_the_head_are_lost_from_both_places(fleet, shelf):
    records = chain()
    shelf.deliver(records[:6], per_segment=3)
    shelf.put_head(records[9])
    found = only(reconcile(fleet), Kind.MISSING)
    assert (found.epoch, found.seq, found.last) == (EPOCH, 7, 10)


def test_a_head_of_an_epoch_of_which_nothing_came_is_lost(fleet, shelf):
    shelf.register(THING)
    shelf.put_head(chain()[4])
    found = only(reconcile(fleet), Kind.MISSING)
    assert (found.seq, found.last) == (1, 5)


def test_a_head_with_another_hash_is_named(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    shelf.put_head({**records[9], "hash": "cd" * 32})
    verdict = reconcile(fleet)
    assert kinds(verdict) == {Kind.HEAD}


def test_records_without_any_head_prove_nothing(fleet, shelf):
    records = chain()
    shelf.register(THING)
    for content in records:
        shelf.put_item(content)
    shelf.put_segment(*segment(records))
    assert kinds(reconcile(fleet)) == {Kind.NO_HEAD}


def test_a_till_that_never_sold_is_no_fault(fleet, shelf):
    shelf.register(THING)
    verdict = reconcile(fleet)
    assert verdict.clean
    assert verdict.tills[0].notes == ["no head heard yet"]


def test_the_next_epoch_tells_where_the_one_before_ended(fleet, shelf):
    first = chain()
    previous = {"epoch": EPOCH, "seq": 10, "hash": first[9]["hash"]}
    shelf.deliver(first[:8])
    shelf.deliver(chain(epoch=LATER, previous=previous))
    found = only(reconcile(fleet), Kind.MISSING)
    assert (found.epoch, found.seq, found.last) == (EPOCH, 9, 10)


def test_a_later_epoch_that_knows_of_none_before_leaves_a_note(fleet, shelf):
    shelf.deliver(chain())
    shelf.deliver(chain(epoch=LATER))
    verdict = reconcile(fleet)
    assert verdict.clean
    assert "unknown" in verdict.tills[0].notes[0]


def test_an_acknowledged_sale_that_never_arrived_is_lost(fleet, shelf):
    records = chain()
    shelf.deliver(records[:8])
    verdict = reconcile(fleet, journal=[Entry.parse(journal_line(one)) for one in records[1:9]])
    found = only(verdict, Kind.ACKNOWLEDGED_MISSING)
    assert (found.epoch, found.seq) == (EPOCH, 9)
    assert verdict.tills[0].acknowledged == 8


def test_an_acknowledged_sale_that_the_table_forgot_is_one_loss_not_two(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    shelf.drop_item(records[5])
    verdict = reconcile(fleet, journal=[Entry.parse(journal_line(one)) for one in records[1:]])
    assert verdict.count(Group.LOST) == 1


def test_an_acknowledged_receipt_with_another_hash_is_named(fleet, shelf):
    records = chain()
    shelf.deliver(records)
    entry = Entry.parse(journal_line(records[3], hash="ef" * 32))
    assert only(reconcile(fleet, journal=[entry]), Kind.ACKNOWLEDGED_OTHER).seq == 4


def test_a_till_that_only_the_journal_knows_is_checked_too(fleet, shelf):
    entry = Entry.parse(journal_line(chain(thing="greentill-GONE0001")[1]))
    assert only(reconcile(fleet, journal=[entry]), Kind.ACKNOWLEDGED_MISSING).thing == "greentill-GONE0001"


def test_asking_for_one_till_leaves_the_others_alone(fleet, shelf):
    shelf.deliver(chain())
    other = chain(thing="greentill-LAB00002")
    shelf.deliver(other)
    shelf.drop_item(other[3])
    assert reconcile(fleet, thing=THING).clean
    assert not reconcile(fleet, thing="greentill-LAB00002").clean


def test_days_on_either_side_of_a_business_date_belong_to_one_chain(fleet, shelf):
    records = chain()
    moved: list[dict[str, Any]] = []
    for content in records:
        changed = {**content, "business_date": "2026-11-21"} if content["seq"] > 4 else content
        moved.append(record.seal({**changed, "prev_hash": moved[-1]["hash"] if moved else record.ZERO_HASH}))
    shelf.deliver(moved[:4])
    shelf.deliver(moved[4:])
    assert reconcile(fleet).clean


def test_a_till_is_found_by_name_or_serial_and_a_wrong_one_is_no_proof(fleet, shelf):
    shelf.deliver(chain())
    assert find_till(fleet, THING) == THING
    assert find_till(fleet, THING.removeprefix("greentill-")) == THING
    with pytest.raises(UnknownTillError, match="no till TYPO0001"):
        find_till(fleet, "TYPO0001")
