"""What `greentill sales reconcile` says to a person."""

from __future__ import annotations

import pytest
import typer

from greentill import sales
from greentill.console import CommandError
from tests.sales.chains import THING, chain


@pytest.fixture(autouse=True)
def _this_fleet(fleet, shelf, monkeypatch):
    monkeypatch.setattr(sales, "cloud", lambda: fleet)


def test_a_clean_proof_says_what_it_proves_and_what_it_does_not(shelf, capsys):
    shelf.deliver(chain())
    sales.reconcile_command(till=THING)
    said = capsys.readouterr().out
    assert "0 lost, 0 doubled: every record up to each till's last seq is there once" in said
    assert "since it was heard isn't known" in said
    assert THING in said


def test_a_loss_is_said_and_ends_with_1(shelf, capsys):
    records = chain()
    shelf.deliver(records)
    shelf.drop_item(records[5])
    with pytest.raises(typer.Exit) as ended:
        sales.reconcile_command()
    assert ended.value.exit_code == 1
    assert "1 lost, 0 doubled, 0 broken." in capsys.readouterr().out


def test_a_mistyped_till_is_an_error(shelf):
    shelf.deliver(chain())
    with pytest.raises(CommandError, match="till status"):
        sales.reconcile_command(till="TYPO0001")


def test_an_empty_cloud_proves_nothing(capsys):
    sales.reconcile_command()
    assert "Nothing is proven" in capsys.readouterr().out
