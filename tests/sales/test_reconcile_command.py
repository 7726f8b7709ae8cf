"""What `greentill sales reconcile` says to a person."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize("nonsense", [b"\xff", b"[1]", b"[" * 100_000, b"{", b'{"basket_id":1}', b"9" * 5000])
def test_a_journal_of_nonsense_is_one_sentence_that_names_its_line(tmp_path, nonsense):
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(nonsense)
    with pytest.raises(CommandError, match="line 1 is no journal entry"):
        sales.reconcile_command(journal=[journal])


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(CommandError, match="can't be read"):
        sales.reconcile_command(journal=[tmp_path])


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "http://", "ftp://till", "http://till:99999"])
def test_a_till_url_that_is_no_address_is_refused_at_once(tmp_path, url):
    with pytest.raises(CommandError, match="is no address"):
        sales.replay_command(till_url=url, journal=tmp_path / "journal")


def test_a_journal_that_can_not_be_kept_is_refused_before_anything_is_sold():
    with pytest.raises(CommandError, match="no journal can be kept"):
        sales.replay_command(till_url="http://127.0.0.1:1", journal=Path("/proc/nowhere/journal"))
