"""Who may write to a receipt printer on a cable: the user as whom pos runs, where there is a group for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[2] / "pi_bootstrap" / "lib"
PI = """
getent() { [[ "$1 $2" == "group lp" && -n $HAS_GROUP ]]; }
id() { printf '%s\\n' "$GROUPS_OF_USER"; }
already() { printf 'already %s\\n' "$1"; }
change() { shift; printf '%s\\n' "$*"; }
"""


REPAIR = """
getent() { case "$1 $2" in "group lp") [[ -n $HAS_GROUP ]] ;; "group "*) true ;; *) false ;; esac; }
has_account() { false; }
mend() { shift 3; printf '%s\\n' "$*"; }
MODE=mending
"""


@pytest.mark.parametrize(("has_group", "groups"), [("yes", " --groups lp"), ("", "")])
def test_repair_makes_the_user_that_sells_as_the_installation_does(has_group: str, groups: str) -> None:
    told = subprocess.run(
        [
            *("bash", "-euo", "pipefail", "-c"),
            f"source {LIB}/doctor.sh; source {LIB}/checks_access.sh; {REPAIR} check_accounts",
        ],
        env={"PATH": os.environ["PATH"], "HAS_GROUP": has_group},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.strip() == f"useradd --system --create-home --gid ggc_group{groups} ggc_user"


@pytest.mark.parametrize(
    ("has_group", "groups", "done"),
    [
        ("yes", "ggc_group", "usermod --append --groups lp ggc_user"),
        ("yes", "ggc_group lpadmin", "usermod --append --groups lp ggc_user"),
        ("yes", "ggc_group lp", "already ggc_user is in lp"),
        ("", "ggc_group", ""),
    ],
)
def test_the_user_that_sells_may_use_a_printer_on_a_cable(has_group: str, groups: str, done: str) -> None:
    told = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source {LIB}/system.sh; {PI} ensure_printer_group"],
        env={"PATH": os.environ["PATH"], "HAS_GROUP": has_group, "GROUPS_OF_USER": groups},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.strip() == done
