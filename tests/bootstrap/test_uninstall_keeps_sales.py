"""What only this card holds goes when somebody says so, wherever it lies: ledgers set aside, the outbox."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

UNINSTALL = Path(__file__).resolve().parents[2] / "pi_bootstrap" / "lib" / "uninstall.sh"
SAID = """
fatal() { printf '%s\\n' "$*"; exit 3; }
change() { shift; "$@"; }
"""
ONLY_HERE = ("outbox/report.json", "refused/1-2.json", "set-aside/20261121T090000-damaged/ledger.db")


def uninstalling(state_dir: Path, do: str, **settings: str) -> subprocess.CompletedProcess[str]:
    given = {"KEEP_LEDGER": "no", "DISCARD_SALES": "no", "TILL_URL": "http://127.0.0.1:1"} | settings
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source {UNINSTALL}; {SAID} {do}"],
        env={"PATH": os.environ["PATH"], "STATE_DIR": str(state_dir), **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def put(state_dir: Path, *names: str) -> None:
    for name in names:
        (state_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (state_dir / name).write_text("x")


@pytest.mark.parametrize("name", ONLY_HERE)
def test_uninstall_refuses_while_something_lies_only_on_this_card(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    done = uninstalling(tmp_path, "check_nothing_is_lost")
    assert done.returncode == 3
    assert f"{tmp_path}/{name.partition('/')[0]} holds" in done.stdout
    assert "--discard-sales" in done.stdout
    assert uninstalling(tmp_path, "check_nothing_is_lost", DISCARD_SALES="yes").returncode == 0


def test_empty_folders_keep_nobody_from_uninstalling(tmp_path: Path) -> None:
    for name in ("outbox", "refused", "set-aside"):
        (tmp_path / name).mkdir()
    assert uninstalling(tmp_path, "check_nothing_is_lost").returncode == 0


def test_whoever_keeps_the_ledger_keeps_those_set_aside_and_the_outbox(tmp_path: Path) -> None:
    put(tmp_path, *ONLY_HERE, "ledger.db", "ledger.db-wal", "sync.db", "runtime/1/ready", "assignment.json")
    done = uninstalling(tmp_path, "remove_state", KEEP_LEDGER="yes")
    assert done.returncode == 0, done.stderr
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*ONLY_HERE, "ledger.db", "ledger.db-wal", "sync.db"}
