"""Looking at a big ledger beside selling: only damage is damage, and what can't be looked at waits."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from edge_components.pos.checking import BackgroundCheck
from tests.faults import disk
from tests.pos.pos_process import ROOT
from tests.pos.till_ledger import LedgerInTest

UNCHECKED = "could not be checked"
SOUND = "the ledger's file is sound\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of many pages that no process has open."""
    folder = tmp_path / "data"
    folder.mkdir()
    till = LedgerInTest(folder)
    for _ in range(100):
        till.sell(description="x" * 500)
    till.ledger.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    till.ledger.connection.close()
    return folder / "ledger.db"


@contextmanager
def looking(ledger: Path, **environment: str) -> Iterator[Iterator[str]]:
    """What a process that looks at the ledger says, line by line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pos.looking", str(ledger)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("beyond", [0, 20 * 4096], ids=["whole file", "pages in the middle"])
def test_a_disk_that_gives_no_answer_is_told_and_asked_again_and_is_no_damage(
    ledger: Path, tmp_path: Path, beyond: int
) -> None:
    """SQLite lists a page in the middle that it could not read among its findings."""
    control = disk.Control(tmp_path / "control")
    control.fail_reads(errno.EIO, beyond)
    with looking(ledger, **disk.environment(ledger.parent, control=control)) as said:
        assert [UNCHECKED in next(said) for _ in range(3)] == [True] * 3
        control.fail_reads(0)
        rest = list(said)
    control.close()
    assert rest[-1] == SOUND
    assert all(UNCHECKED in line for line in rest[:-1])


def test_a_ledger_that_another_holds_is_looked_at_once_it_is_free(ledger: Path) -> None:
    holder = apsw.Connection(str(ledger))
    holder.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT").fetchall()
    with looking(ledger) as said:
        assert UNCHECKED in next(said)
        holder.close()
        rest = list(said)
    assert rest[-1] == SOUND


def test_a_ledger_that_cannot_be_opened_is_looked_at_once_it_can(ledger: Path) -> None:
    elsewhere = ledger.with_name("elsewhere")
    ledger.rename(elsewhere)
    with looking(ledger) as said:
        assert UNCHECKED in next(said)
        elsewhere.rename(ledger)
        rest = list(said)
    assert rest[-1] == SOUND


def test_real_damage_is_found_all_the_same(ledger: Path) -> None:
    content = bytearray(ledger.read_bytes())
    content[20 * 4096 : 21 * 4096] = b"\xa5" * 4096
    ledger.write_bytes(content)
    with looking(ledger) as said:
        line = next(said)
    assert "damaged: " in line


def test_stopping_ends_the_look_also_while_it_waits_to_try_again(tmp_path: Path) -> None:
    found: list[Exception] = []
    check = BackgroundCheck(tmp_path / "nowhere" / "ledger.db", found.append)
    check.start()
    check.stop()
    assert found == []
