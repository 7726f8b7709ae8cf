"""Power that goes while a ledger is first made is no damage; a ledger that was emptied later is."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edge_components.pos import birth
from tests.faults.image import materialise
from tests.faults.till_on_disk import Session, record_session
from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_outages import empty_file
from tests.pos.test_pos_selling import records
from tests.pos.till_ledger import LedgerInTest

IMAGES = 2  # of each moment: all that was not synced is gone, and some of it


@pytest.fixture
def first_start(pos: Pos, monkeypatch: pytest.MonkeyPatch) -> Session:
    """What a till does on its disk from the first start to a clean stop, without a sale."""
    pos.machine_id.write_text("one")
    return record_session(pos, monkeypatch, sales=0, terminals=1)


def test_power_that_goes_at_any_moment_of_the_first_start_leaves_a_new_ledger(
    first_start: Session, tmp_path: Path
) -> None:
    disk, played = first_start.disk_before, 0
    points = first_start.points()
    assert len(points) > 20
    for point in points:
        disk.play(first_start.played[played:point])
        played = point
        for number in range(IMAGES):
            folder = tmp_path / "cuts" / f"{point}-{number}"
            chance = random.Random(f"{point}/{number}")  # noqa: S311 - what the cut takes
            materialise(disk.image(chance) if number else disk.worst(), folder)
            till = LedgerInTest(folder)
            assert till.records()[0]["body"] == {"reason": "new_ledger", "previous": None}, (point, number)
            assert len(till.records()) == 1
            assert not (folder / "set-aside").exists()
            assert not (folder / "ledger.db.being-made").exists()
            till.ledger.connection.close()


def test_what_a_second_attempt_makes_says_why_the_first_one_was_begun(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    head = {"epoch": "0" * 15 + "7", "seq": 3, "hash": "a" * 64}
    birth.begin(tmp_path / "ledger.db", birth.Birth("ledger_damaged", head))
    till = LedgerInTest(tmp_path)
    assert till.records()[0]["body"] == {"reason": "ledger_damaged", "previous": head}
    till.ledger.connection.close()


def test_a_ledger_that_was_emptied_before_its_first_sale_came_is_set_aside(selling: Pos) -> None:
    """From the moment that a till sells, nobody can say that its file held nothing."""
    selling.kill()
    for name in ("ledger.db", "ledger.db-wal"):
        empty_file(selling.data / name)
    selling.start()
    assert records(selling)[0]["body"]["reason"] == "ledger_damaged"
    assert list(selling.data.glob("set-aside/*/ledger.db"))


def test_a_ledger_whose_log_was_lost_with_every_record_is_set_aside(selling: Pos) -> None:
    selling.sell(sale())
    selling.kill()
    empty_file(selling.data / "ledger.db-wal")
    selling.start()
    assert records(selling)[0]["body"]["reason"] == "ledger_damaged"


def test_a_note_that_cannot_be_read_proves_nothing(selling: Pos) -> None:
    selling.sell(sale())
    selling.stop()
    empty_file(selling.data / "ledger.db")
    (selling.data / "ledger.db.being-made").write_text(json.dumps(["?"]))
    selling.start()
    assert records(selling)[0]["body"]["reason"] == "ledger_damaged"
    assert not (selling.data / "ledger.db.being-made").exists()


HEAD = ""
NO_NOTES = {
    "no head": '{"reason": "new_ledger", "previous": "abc"}',
    "half a head": '{"reason": "new_ledger", "previous": {"epoch": "EPOCH"}}',
    "no epoch": '{"reason": "new_ledger", "previous": {"epoch": "zz", "seq": 1, "hash": "HASH"}}',
    "the last epoch": '{"reason": "new_ledger", "previous": {"epoch": "LAST", "seq": 1, "hash": "HASH"}}',
    "no seq": '{"reason": "new_ledger", "previous": {"epoch": "EPOCH", "seq": 1.5, "hash": "HASH"}}',
    "another reason": '{"reason": "\\ud800", "previous": null}',
    "endless": "[" * 100_000,
    "empty": "",
}


@pytest.mark.parametrize("begun", [None, b"", b"x" * 5_000], ids=["no file", "empty file", "no ledger"])
@pytest.mark.parametrize("note", NO_NOTES.values(), ids=NO_NOTES)
def test_whatever_a_note_says_the_till_begins_a_ledger(
    tmp_path: Path, note: str, begun: bytes | None
) -> None:
    (tmp_path / "ledger.db.being-made").write_text(
        note.replace("HASH", "a" * 64).replace("EPOCH", "0" * 16).replace("LAST", "f" * 16)
    )
    if begun is not None:
        (tmp_path / "ledger.db").write_bytes(begun)
    till = LedgerInTest(tmp_path)
    opened = till.records()[0]
    reason = "new_ledger" if begun is None else "ledger_damaged"
    assert opened["body"] == {"reason": reason, "previous": None}
    assert len(opened["epoch"]) == 16
    assert not (tmp_path / "ledger.db.being-made").exists()
    till.ledger.connection.close()


def test_a_note_that_is_no_file_of_ours_proves_nothing_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger.db.being-made").symlink_to(tmp_path)
    till = LedgerInTest(tmp_path)
    assert till.records()[0]["body"]["reason"] == "new_ledger"
    till.ledger.connection.close()
