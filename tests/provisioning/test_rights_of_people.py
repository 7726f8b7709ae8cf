"""Whoever has the rights that the README names can do what it names them for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from moto.iot.models import IoTBackend

from tests.provisioning.two_at_once import COMMANDS, FleetsAccount, Session, World, certificate_for

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
ON_EVERY_ROW = {"GetItem", "UpdateItem"}


def rights(command: str) -> set[str]:
    """As the README's list has them, with those of the commands that a line refers to."""
    (line,) = re.findall(rf"^   - ([^:\n]*`{command}`[^:\n]*:.*)$", README, re.MULTILINE)
    of, _, text = line.partition(":")
    named = set(re.findall(r"`(?:[a-z]+:)?([A-Z]\w+)`", text))
    others = set(re.findall(r"`(kit|rotate|move)`", text)) - set(re.findall(r"`(\w+)`", of))
    return named.union(*(rights(other) for other in others))


@pytest.mark.parametrize("command", ["move", "rotate", "replace", "revoke", "decommission"])
@pytest.mark.parametrize("beginning", ["wanted", "signed", "arrived"])
def test_what_a_command_calls_is_among_the_rights_that_the_readme_names_for_it(
    account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, beginning: str
) -> None:
    monkeypatch.setattr(IoTBackend, "create_certificate_from_csr", certificate_for)
    world = World(FleetsAccount(account), tmp_path, beginning)
    made: set[str] = set()
    COMMANDS[command](world, Session(account.session, made.add))
    assert made - ON_EVERY_ROW <= rights(command)
    assert made
