"""What lies in the ledger's place and is no file is put out of the way, and the till sells."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_components.pos import obstacles
from edge_components.pos.errors import NotSellingError
from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_selling import records

NOBODY = 65_534


def folder_of_files(path: Path) -> None:
    path.mkdir()
    (path / "something").write_text("of somebody")


def listening_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


@pytest.mark.parametrize("make", [folder_of_files, os.mkfifo, listening_socket])
def test_what_is_no_file_in_the_ledgers_place_is_kept_beside_it_and_the_till_sells(
    pos: Pos, make: Callable[[Path], None]
) -> None:
    make(pos.data / "ledger.db")
    pos.assign()
    pos.start()
    assert pos.sell(sale()).status_code == 201
    assert records(pos)[0]["body"] == {"reason": "ledger_damaged", "previous": None}
    (kept,) = pos.data.glob("ledger.db.no-file-*")
    assert not kept.is_file()
    if make is folder_of_files:
        assert (kept / "something").read_text() == "of somebody"


@pytest.mark.parametrize("part", [*obstacles.PARTS[1:], ""])
def test_a_folder_in_the_place_of_any_of_its_files_costs_no_sale(selling: Pos, part: str) -> None:
    sold = selling.sell(sale()).json()
    assert selling.stop() == 0
    path = selling.data / f"ledger.db{part}"
    if not part:
        path.rename(selling.data / "moved")
    path.unlink(missing_ok=True)
    folder_of_files(path)
    selling.start()
    following = selling.sell(sale()).json()
    assert (following["prev_hash"] == sold["hash"]) == bool(part)
    assert following["receipt_no"] != sold["receipt_no"]
    (kept,) = selling.data.glob(f"ledger.db{part}.no-file-*")
    assert (kept / "something").exists()


def test_a_folder_in_the_place_of_the_lock_is_put_out_of_the_way(pos: Pos) -> None:
    folder_of_files(pos.data / "ledger.lock")
    pos.assign()
    pos.start()
    assert pos.sell(sale()).status_code == 201
    assert (pos.data / "ledger.lock").is_file()


def test_a_ledger_that_lies_elsewhere_behind_a_link_is_left_where_it_is(selling: Pos) -> None:
    sold = selling.sell(sale()).json()
    assert selling.stop() == 0
    path = selling.data / "ledger.db"
    path.rename(selling.folder / "elsewhere.db")
    path.symlink_to(selling.folder / "elsewhere.db")
    selling.start()
    assert selling.sell(sale()).json()["prev_hash"] == sold["hash"]
    assert path.is_symlink()


@pytest.fixture
def data_of_nobody() -> Iterator[Path]:
    """A till's folder of an unprivileged user, in which root has left something in the ledger's place."""
    folder = Path(tempfile.mkdtemp(prefix="greentill-obstacle-"))
    folder_of_files(folder / "ledger.db")
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def as_nobody(work: Callable[[], object]) -> int:
    """What a child without privileges makes of it: 0 when done, 1 when told that it can't be."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
            code = 0
        except NotSellingError:
            code = 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_root_left_there_is_put_out_of_the_way_without_being_root(data_of_nobody: Path) -> None:
    assert as_nobody(lambda: obstacles.clear(data_of_nobody / "ledger.db")) == 0
    (kept,) = data_of_nobody.iterdir()
    assert (kept / "something").exists()


def test_what_cannot_be_renamed_is_told_with_what_to_do(data_of_nobody: Path) -> None:
    os.chown(data_of_nobody, 0, 0)
    data_of_nobody.chmod(0o755)
    assert as_nobody(lambda: obstacles.clear(data_of_nobody / "ledger.db")) == 1
    assert [path.name for path in data_of_nobody.iterdir()] == ["ledger.db"]
