"""What repair gives owners and rights to, while a component swaps files for links."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "pi_bootstrap" / "lib" / "hand_over.py"
NOBODY = pwd.getpwnam("nobody")
ATTEMPTS = 25
# The till's accounts, which this machine lacks.
ACCOUNTS = f"""\
import grp, pwd, runpy, sys
nobody, group = pwd.getpwnam("nobody"), grp.getgrgid({NOBODY.pw_gid})
pwd.getpwnam, grp.getgrnam = lambda name: nobody, lambda name: group
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""


def hand_over(what: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-I", "-c", ACCOUNTS, what, folder], check=True, timeout=300)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_folder_is_given_back_with_all_that_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    (folder / "runtime" / "venv").mkdir(parents=True)
    (folder / "runtime" / "venv" / "python").symlink_to("/usr/bin/env")
    (folder / "lib64").symlink_to("runtime")
    (folder / "ledger.db").write_text("sold")
    hand_over("owner", folder)
    for path in (folder, *folder.rglob("*")):
        assert path.lstat().st_uid == NOBODY.pw_uid, path
    assert Path("/usr/bin/env").stat().st_uid == 0


def test_only_what_is_the_components_own_is_opened_to_it(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for path in (own, other):
        path.touch()
        path.chmod(0o400)
    os.chown(own, NOBODY.pw_uid, NOBODY.pw_gid)
    hand_over("keep", tmp_path)
    assert (mode(own), mode(other)) == (0o600, 0o400)


def test_programs_and_folders_stay_usable_and_data_is_no_program(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir(mode=0o700)
    for name, before in (("run.sh", 0o700), ("data.csv", 0o600)):
        (folder / name).touch()
        (folder / name).chmod(before)
    hand_over("read", folder)
    assert (mode(folder), mode(folder / "run.sh"), mode(folder / "data.csv")) == (0o755, 0o755, 0o644)


@contextmanager
def swapping(folder: Path, victim: Path) -> Iterator[None]:
    """While this lasts, names in `folder` are now a program of the component's, now a link to `victim`."""
    done = threading.Event()

    def swap() -> None:
        spare = folder.parent / "spare"
        while not done.is_set():
            for number in range(20):
                spare.symlink_to(victim)
                spare.rename(folder / f"{number}")
                spare.touch()
                os.chown(spare, NOBODY.pw_uid, NOBODY.pw_gid)
                spare.chmod(0o4100)
                spare.rename(folder / f"{number}")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("what", ["owner", "keep", "read"])
def test_a_file_that_is_swapped_for_a_link_leads_root_nowhere_else(tmp_path: Path, what: str) -> None:
    folder, victim = tmp_path / "work", tmp_path / "shadow"
    folder.mkdir()
    victim.touch()
    victim.chmod(0o600)
    with swapping(folder, victim):
        for _ in range(ATTEMPTS):
            hand_over(what, folder)
    assert (victim.stat().st_uid, mode(victim)) == (0, 0o600)


def test_a_second_name_of_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    folder, victim = tmp_path / "work", tmp_path / "shadow"
    folder.mkdir()
    victim.touch()
    victim.chmod(0o600)
    (folder / "link").hardlink_to(victim)
    for what in ("owner", "keep", "read"):
        hand_over(what, folder)
    assert (victim.stat().st_uid, mode(victim)) == (0, 0o600)
