"""The command line: one sentence for what is wrong, one JSON document for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greentill.console import CommandError
from greentill.till_kits import kit_command
from greentill.till_life import move_command, rotate_command
from greentill.till_speech import explained
from greentill.till_status import status_command
from infra.identity.rotation.shadow import UnsettledError

ROOT = Path(__file__).resolve().parents[2]


def test_a_kit_made_from_the_command_line_tells_json(account: Any, tmp_path: Path, capsys: Any):
    kit_command(
        "PI0001",
        out_dir=tmp_path / "kit",
        store="ST-367",
        stage="dev",
        terminal=["T1", "T2,T3"],
        environment=["NO_PROXY=localhost"],
        as_json=True,
    )
    told = json.loads(capsys.readouterr().out)
    assert told["thing"] == "greentill-PI0001"
    assert (tmp_path / "kit" / "environment").read_text() == "NO_PROXY=localhost\n"
    assert account.rows()[0]["terminals"] == ["T1", "T2", "T3"]


def test_many_kits_end_with_a_summary_that_names_the_failures(account: Any, tmp_path: Path, capsys: Any):
    file = tmp_path / "tills.csv"
    file.write_text("serial,store,stage,terminals\nPI0001,ST-367,dev,\nPI0002,ST-406,dev,T1 T2\n")
    kit_command(out_dir=tmp_path / "kits", csv_file=file, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [kit["serial"] for kit in told["kits"]] == ["PI0001", "PI0002"]
    assert told["failures"] == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"serial": "PI0001", "store": "ST-367"}, "give a serial with --store and --stage"),
        ({"serial": "PI0001", "store": "Main", "stage": "dev"}, "store 'Main' isn't in fleet.toml"),
        ({"serial": "PI0001", "store": "ST-367", "stage": "dev", "environment": ["PROXY"]}, "give KEY=VALUE"),
        ({"serial": "PI0001", "store": "ST-367", "stage": "dev", "expires_days": 0}, "give 1 to 3650"),
        ({"serial": "PI0001", "store": "ST-367", "stage": "dev", "expires_days": 10**11}, "give 1 to 3650"),
    ],
)
def test_a_mistake_is_one_sentence(account: Any, tmp_path: Path, arguments: dict[str, Any], says: str):
    with pytest.raises(CommandError, match=says):
        kit_command(out_dir=tmp_path / "kit", **arguments)
    assert account.rows() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"serial": "PI0001", "store": "ST-367", "stage": "moon"}, "stage 'moon' isn't in fleet.toml"),
        ({"serial": "PI0001", "store": "Main", "stage": "dev"}, "store 'Main' isn't in fleet.toml"),
        ({"serial": "PI0001"}, "give a serial with --store and --stage"),
        ({"csv_file": Path("nowhere.csv")}, "nowhere.csv can't be read"),
        ({"csv_file": Path("nowhere.csv"), "serial": "PI0001"}, "give either --csv, or a serial"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_before_credentials_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: dict[str, Any], says: str
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(CommandError, match=says):
        kit_command(out_dir=tmp_path / "kit", **arguments)


def test_without_an_identity_stack_the_command_says_to_deploy(bare_account: Any, tmp_path: Path):
    with pytest.raises(CommandError, match="make deploy"):
        kit_command("PI0001", out_dir=tmp_path / "kit", store="ST-367", stage="dev")


def test_without_credentials_it_says_so_without_a_traceback(tmp_path: Path):
    bare = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "greentill", "till", "status"],
        cwd=ROOT,
        env={**bare, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert "are its credentials set?" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_is_no_address_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(CommandError, match="the account can't be reached"):
        kit_command("PI0001", out_dir=Path("kit"), store="ST-367", stage="dev")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (lambda: move_command("PI0001", stage="pord"), "stage 'pord' isn't in fleet.toml .did you mean prod"),
        (lambda: move_command("PI0001", terminal=[""]), "say where to"),
        (lambda: rotate_command(all_due=True, stage=""), "stage '' isn't in fleet.toml"),
        (lambda: status_command(store="Main"), "store 'Main' isn't in fleet.toml"),
        (
            lambda: kit_command(
                "PI0001", out_dir=Path("kit"), serial_option="PI0002", store="ST-367", stage="dev"
            ),
            "PI0001 and --serial PI0002: give one of them",
        ),
    ],
)
def test_arguments_are_looked_at_before_any_account_is_asked(
    monkeypatch: pytest.MonkeyPatch, command: Callable[[], None], says: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(CommandError, match=says):
        command()


def test_a_shadow_that_others_keep_changing_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="repeat this"), explained():
        raise UnsettledError("the shadow of greentill-PI0001 is being changed by others: repeat this")
