"""`greentill sales` explains itself, and says in one sentence what to do when it can't go on."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edge_components.pos.epochs import series
from greentill import sales as commands
from greentill import sales_recompute as recomputing
from greentill.console import CommandError
from sales.access import AccessError
from tests.sales.chains import EPOCH, THING, chain
from tests.sales.test_export_and_explain import with_bodies

GROUP = typer.main.get_command(commands.app)
NAMES = sorted(GROUP.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example_and_json(name: str) -> None:
    result = CliRunner().invoke(commands.app, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"Example: greentill sales {name}" in " ".join(result.stdout.split())
    assert "--json" in result.stdout


def test_the_commands_of_the_group_are_the_documented_ones() -> None:
    usage = (Path(__file__).parents[2] / "docs/usage.md").read_text()
    assert [name for name in NAMES if f"greentill sales {name}" not in usage] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify", "nowhere/ledger.db"], "nowhere/ledger.db can't be read"),
        (["export", "--store", "ST-1", "--date", "soon"], "is no date; write"),
        (["explain", "hello"], "is no receipt number"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    arguments: list[str], says: str, fleet, shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "cloud", lambda: fleet)
    result = CliRunner().invoke(commands.app, arguments)
    assert isinstance(result.exception, CommandError)
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["recover", "nowhere/ledger.db"], "nowhere/ledger.db can't be read"),
        (["recover", __file__], "is no ledger"),
        (["explain", "hello"], "is no receipt number"),
        (["explain", "K3M9QZ-000000042", "--ledger", "nowhere/ledger.db"], "nowhere/ledger.db can't be read"),
        (["reconcile", "--journal", "nowhere.jsonl"], "no journal at nowhere.jsonl"),
        (["export", "--store", "ST-1", "--date", "soon"], "is no date; write"),
        (["recompute", "--date", "soon"], "is no date; write"),
        (["verify", "nowhere/ledger.db"], "nowhere/ledger.db can't be read"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said_before_credentials_are_looked_for(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> None:
        raise AccessError("no credentials")

    monkeypatch.setattr(commands, "cloud", nobody)
    monkeypatch.setattr(recomputing, "cloud", nobody)
    result = CliRunner().invoke(commands.app, arguments)
    assert isinstance(result.exception, CommandError)
    assert says in str(result.exception)


def test_a_mistyped_store_is_no_day_without_sales(
    fleet, shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "cloud", lambda: fleet)
    words = ["export", "--date", "2026-11-20", "--out", str(tmp_path), "--store"]
    result = CliRunner().invoke(commands.app, [*words, "ST-36"])
    assert "fleet.toml has no store ST-36, and nothing was sold there; known are ST-367" in str(
        result.exception
    )
    assert list(tmp_path.iterdir()) == []
    result = CliRunner().invoke(commands.app, [*words, "ST-367"])
    assert result.exit_code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["ST-367-2026-11-20.csv"]


def test_a_receipts_till_may_be_named_by_its_serial_and_a_mistyped_one_is_an_error(
    fleet, shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "cloud", lambda: fleet)
    shelf.deliver(with_bodies(chain()))
    receipt = f"{series(EPOCH)}-000000001"
    serial = THING.removeprefix(fleet.names.prefix)
    answers = [
        CliRunner().invoke(commands.app, ["explain", receipt, "--till", till]) for till in (THING, serial)
    ]
    assert [answer.exit_code for answer in answers] == [0, 0]
    assert answers[0].stdout == answers[1].stdout
    result = CliRunner().invoke(commands.app, ["explain", receipt, "--till", "TYPO0001"])
    assert isinstance(result.exception, CommandError)
    assert "there is no till TYPO0001 here" in str(result.exception)


def test_a_fleet_that_is_not_deployed_is_said_so(fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "cloud", lambda: fleet)
    result = CliRunner().invoke(commands.app, ["export", "--store", "ST-1", "--date", "2026-11-20"])
    assert isinstance(result.exception, CommandError)
    assert "is the fleet deployed" in str(result.exception)
