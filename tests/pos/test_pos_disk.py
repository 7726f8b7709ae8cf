"""A disk that fills up, and a big file after an unclean stop: the till says so before it could fail."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from edge_components.pos import opening
from edge_components.pos.checking import BackgroundCheck
from edge_components.pos.disk import Disk
from tests.pos.pos_process import sale
from tests.pos.test_pos_selling import records
from tests.pos.till_ledger import LedgerInTest

MEGABYTE = 1024 * 1024


class FakeDisk:
    """A disk of a size that the test sets; what lies in its folder counts."""

    def __init__(self, monkeypatch, folder, size):
        self.folder, self.size = folder, size
        monkeypatch.setattr(os, "statvfs", self.status)

    def status(self, _path):
        used = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return SimpleNamespace(f_bavail=max(0, self.size - used), f_frsize=1)


def test_a_full_disk_takes_the_ballast_then_logs_then_the_outbox_and_never_the_ledger(tmp_path, monkeypatch):
    fake = FakeDisk(monkeypatch, tmp_path, 20 * MEGABYTE)
    disk = Disk(tmp_path, reserve=2 * MEGABYTE, ballast=4 * MEGABYTE)
    disk.prepare()
    ballast = tmp_path / "ballast"
    assert ballast.stat().st_blocks * 512 >= 4 * MEGABYTE  # room that is really taken
    for name in ("ledger.db", "logs/old.log", "outbox/1.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0" * MEGABYTE)
    assert disk.left()
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"ballast", "ledger.db", "old.log", "1.json"}
    for size, left in [
        (8, {"ledger.db", "old.log", "1.json"}),
        (4, {"ledger.db", "1.json"}),
        (3, {"ledger.db"}),
    ]:
        fake.size = size * MEGABYTE
        assert disk.left()
        assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == left
    fake.size = 2 * MEGABYTE
    assert not disk.left()
    assert (tmp_path / "ledger.db").stat().st_size == MEGABYTE
    fake.size = 20 * MEGABYTE
    assert disk.left()


def test_no_ballast_is_laid_down_where_it_would_be_in_the_way(tmp_path, monkeypatch):
    FakeDisk(monkeypatch, tmp_path, 9 * MEGABYTE)
    Disk(tmp_path, reserve=2 * MEGABYTE, ballast=4 * MEGABYTE).prepare()
    assert list(tmp_path.iterdir()) == []


def test_a_till_without_room_refuses_before_a_commit_could_fail_and_goes_on_when_there_is_some(pos):
    pos.assign()
    pos.configuration["reserve_bytes"] = 2**62
    pos.start(until="disk_full")
    answer = pos.sell(sale())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "disk_full")
    assert answer.headers["Retry-After"]
    pos.stop()
    pos.configuration["reserve_bytes"] = 0
    pos.start()
    assert pos.sell(sale()).status_code == 201
    assert [one["kind"] for one in records(pos)] == ["epoch_opened", "sale"]


@pytest.fixture
def everything_is_big(monkeypatch):
    monkeypatch.setattr(opening, "SMALL_BYTES", 0)


def test_a_big_file_is_looked_at_beside_selling_after_an_unclean_stop_only(tmp_path, everything_is_big):
    till = LedgerInTest(tmp_path)
    till.sell()
    assert till.ledger.unchecked is False  # it was new
    till.reopen()
    assert till.ledger.unchecked is True
    till.ledger.connection.execute("UPDATE meta SET value = 'cleanly' WHERE key = 'closed'").fetchall()
    till.reopen()
    assert till.ledger.unchecked is False


def test_the_look_finds_a_damaged_page_and_nothing_in_a_sound_file(tmp_path):
    till = LedgerInTest(tmp_path)
    for _ in range(200):
        till.sell(description="x" * 500)
    till.ledger.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    till.ledger.connection.close()
    path = tmp_path / "ledger.db"
    assert findings(path) == []
    content = bytearray(path.read_bytes())
    content[20 * 4096 : 21 * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    assert len(findings(path)) == 1


def findings(path):
    found: list[Exception] = []
    check = BackgroundCheck(path, found.append)
    check.start()
    check.join()
    return found


def test_a_file_found_damaged_while_selling_is_set_aside_whole_at_the_next_start(selling):
    last = selling.sell(sale()).json()
    selling.kill()
    (selling.data / "ledger.db.damaged").write_text("page 7 is torn")
    selling.start()
    opening_record = records(selling)[0]
    assert opening_record["body"]["reason"] == "ledger_damaged"
    assert opening_record["body"]["previous"]["hash"] == last["hash"]
    (kept,) = selling.data.glob("set-aside/*")
    assert {"ledger.db", "ledger.db.damaged"} <= {path.name for path in kept.iterdir()}
    assert not (selling.data / "ledger.db.damaged").exists()
    assert "page 7 is torn" in selling.log()


def test_a_file_that_may_not_be_given_up_costs_no_more_than_itself(tmp_path, monkeypatch):
    """Or the till would leave at each sale, for a disk that it can make room on."""
    fake = FakeDisk(monkeypatch, tmp_path, 20 * MEGABYTE)
    disk = Disk(tmp_path, reserve=2 * MEGABYTE, ballast=0)
    for name in ("logs/roots.log", "outbox/1.json"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(b"\0" * MEGABYTE)
    real = Path.unlink

    def refuse(path, missing_ok=False):
        if path.name == "roots.log":
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    fake.size = 3 * MEGABYTE
    assert disk.left()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["roots.log"]
    fake.size = 2 * MEGABYTE
    assert not disk.left()
