"""pos hears how far the table is, while a segment still fills: the line may be fine all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto.server import ThreadedMotoServer

from edge_components.edgekit import config
from edge_components.edgekit.ledger import LedgerReader
from edge_components.sync import progress
from edge_components.sync.progress import TABLE, Cursor
from edge_components.sync.settings import Settings
from tests.sync import faulty_proxy as proxies
from tests.sync.faulty_proxy import FaultyProxy
from tests.sync.test_sync_service import Process
from tests.sync.till import EPOCH, Till, make_till


@pytest.fixture
def quiet(aws: ThreadedMotoServer, proxy: FaultyProxy, tmp_path: Path) -> Iterator[Till]:
    """A till whose segment does not close while the test runs; the bucket has the epoch's opening already."""
    till = make_till(aws, tmp_path / "quiet", segment_records=500, segment_seconds=3_600.0)
    till.state.advance("s3", EPOCH, 1)
    yield till
    till.stop()
    till.ledger.close()


def sell(till: Till, count: int) -> None:
    """Sales that are as young as can be, whatever the day is."""
    till.ledger.sell(count, recorded_at="2099-01-01T00:00:00.000000Z")


def cursors(till: Till, seconds: float = 0.0) -> tuple[Cursor, Cursor]:
    ledger = LedgerReader(till.settings.ledger)
    table = Cursor(till.settings.table_cursor, ledger, till.state, TABLE, seconds=seconds)
    return Cursor(till.settings.cursor, ledger, till.state), table


def told(till: Till) -> tuple[str, int] | None:
    try:
        found = json.loads(till.settings.table_cursor.read_text())
    except FileNotFoundError:
        return None
    return found["epoch"], found["seq"]


def test_the_table_is_told_of_while_the_bucket_waits_for_its_segment(quiet: Till) -> None:
    sell(quiet, 4)
    both, table = cursors(quiet)
    table.publish()
    assert told(quiet) is None
    quiet.drain()
    table.publish()
    assert told(quiet) == (EPOCH, 5)
    assert both.passed() == (EPOCH, 1)


def test_retention_finds_no_cursor_where_the_table_alone_is_told_of(quiet: Till) -> None:
    assert quiet.settings.table_cursor.parent != quiet.settings.cursor.parent


def test_what_the_table_lacks_is_not_told_however_far_the_bucket_is(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(4)
    proxy.always = proxies.only("Batch", proxies.breaks)
    while till.bucket.step():
        pass
    _, table = cursors(till)
    table.publish(last=True)
    assert told(till) is None


def test_many_sales_are_few_writes_of_the_card_and_the_last_one_is_told(
    quiet: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    _, table = cursors(quiet, seconds=5.0)
    seen = []
    for _ in range(20):
        sell(quiet, 1)
        quiet.drain()
        table.publish()
        seen.append(told(quiet))
        now += 1.0
    assert len(set(seen)) == 4
    now += 5.0
    table.publish()
    assert told(quiet) == (EPOCH, 21)


def test_what_was_held_back_is_told_at_the_end(quiet: Till) -> None:
    _, table = cursors(quiet, seconds=86_400.0)
    for _ in range(2):
        sell(quiet, 1)
        quiet.drain()
        table.publish()
    assert told(quiet) == (EPOCH, 2)
    table.publish(last=True)
    assert told(quiet) == (EPOCH, 3)


@pytest.mark.parametrize("saving", ["false", "true"])
def test_each_sale_is_told_soon_after_it_is_in_the_table_also_by_a_sparing_till(
    quiet: Till, proxy: FaultyProxy, saving: str
) -> None:
    sell(quiet, 30)
    with Process(quiet, proxy, segment_seconds="3600", data_saver=saving) as process:
        process.until(lambda: told(quiet) == (EPOCH, 31))
        sell(quiet, 1)
        process.until(lambda: told(quiet) == (EPOCH, 32))
        assert quiet.in_table() == quiet.rung_up()
        assert process.cursor() == (EPOCH, 1)
        assert process.end() == 0


def test_no_pace_is_taken_at_which_a_till_with_a_line_would_look_like_one_without() -> None:
    loaded = config.build(Settings, {"poll_seconds": "60"})
    assert loaded.settings.poll_seconds == Settings().poll_seconds
    assert any("poll_seconds" in problem for problem in loaded.problems)
