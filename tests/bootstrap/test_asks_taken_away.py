"""How the root helper takes an ask away: aside, whole, and nowhere else, even where nothing new has room."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ANSWERS = Path(__file__).resolve().parents[2] / "pi_bootstrap" / "root" / "helper" / "answers.sh"


def taking(run_dir: Path, script: str) -> str:
    """What the helper's part prints; `mktemp` fails, as it does where a component has filled /run.

    `mv` is kept from leaving the folder, so that a failure here harms no machine.
    """
    full = 'mktemp() { return 1; }; mv() { [[ $4 == "$RUN_DIR"/taken/* ]] && command mv "$@"; }'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source {ANSWERS}; {full}; {script}"],
        env={"PATH": os.environ["PATH"], "RUN_DIR": str(run_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "asks" / "doctor").mkdir(parents=True)
    (tmp_path / "asks" / "doctor" / "a").touch()
    (tmp_path / "asks" / "reboot").symlink_to("/etc/passwd")
    return tmp_path


def test_an_ask_is_moved_aside_and_nowhere_else_when_nothing_new_can_be_made(run_dir: Path) -> None:
    (run_dir / "taken").mkdir()
    told = taking(run_dir, "for ask in doctor reboot; do if asked $ask; then echo taken; fi; done")
    assert told.split() == ["taken", "taken"]
    assert list((run_dir / "asks").iterdir()) == []
    assert len(list((run_dir / "taken").iterdir())) == 2


def test_what_was_taken_away_is_cleared_and_its_folder_stays_for_who_comes_next(run_dir: Path) -> None:
    told = taking(run_dir, "clear_taken; asked doctor; asked reboot; clear_taken; echo ok")
    assert told.split()[-1] == "ok"
    assert list((run_dir / "taken").iterdir()) == []
    assert Path("/etc/passwd").exists()
