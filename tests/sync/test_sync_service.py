"""sync as a till runs it: its own process, started, woken, cut off and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import apsw
import pytest
from boto3.dynamodb.types import TypeSerializer

from edge_components.edgekit.priority import BACKGROUND
from tests.assignments import assignment
from tests.sync import faulty_proxy as proxies
from tests.sync.faulty_proxy import FaultyProxy
from tests.sync.till import EPOCH, REGION, Till

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """`python -m edge_components.sync` with a configuration file, as a laptop without a nucleus runs it."""

    def __init__(self, till: Till, proxy: FaultyProxy, **settings: str) -> None:
        self.till = till
        names = ("sales_table", "sales_bucket", "registry_table", "thing")
        self.configuration = {
            **{name: getattr(till.settings, name) for name in names},
            "data_dir": str(till.settings.data_dir),
            "region": REGION,
            "segment_seconds": "0.1",
            "retry_base_seconds": "0.05",
            "retry_cap_seconds": "0.2",
            "assignment_seconds": "0.2",
            **settings,
        }
        file = till.settings.data_dir / "configuration.json"
        self.file = file
        self.configure()
        environment = {**os.environ, "GREENTILL_CONFIGURATION": str(file), "AWS_ENDPOINT_URL": proxy.url}
        self.log = till.settings.data_dir / "log"
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "edge_components.sync"], cwd=ROOT, env=environment, stderr=log
            )

    def configure(self, **settings: str) -> None:
        self.configuration |= settings
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps(self.configuration))
        partial.replace(self.file)

    def until(self, condition: Callable[[], Any], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.child.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def cursor(self) -> tuple[str, int] | None:
        try:
            found = json.loads(self.till.settings.cursor.read_text())
        except FileNotFoundError:
            return None
        return found["epoch"], found["seq"]

    def end(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(120)

    def kill(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait(120)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@pytest.fixture
def start(till: Till, proxy: FaultyProxy) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def started(**settings: str) -> Process:
        processes.append(Process(till, proxy, **settings))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()


def register(till: Till, **changes: Any) -> dict[str, Any]:
    assigned = assignment(**{"thing": till.settings.thing, **changes})
    row = TypeSerializer().serialize({"thing": till.settings.thing, "assignment": assigned})["M"]
    till.client("dynamodb").put_item(TableName=till.settings.registry_table, Item=row)
    return assigned


def test_it_lets_selling_go_first_also_after_it_has_started_afresh(
    till: Till, start: Callable[..., Process]
) -> None:
    process = start(configuration_seconds="0.1")
    process.until(lambda: "delivering for" in process.log.read_text())
    process.configure(most_writers="2")
    process.until(lambda: process.log.read_text().count("delivering for") == 2)
    threads = [int(path.name) for path in Path(f"/proc/{process.child.pid}/task").iterdir()]
    assert len(threads) > 5, threads
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {BACKGROUND}


def test_it_delivers_publishes_its_cursor_and_ends_when_told(
    till: Till, start: Callable[..., Process]
) -> None:
    till.ledger.sell(30)
    process = start()
    process.until(lambda: process.cursor() == (EPOCH, 31))
    till.everything_is_there_once()
    assert process.end() == 0


def test_the_cursor_waits_for_the_slower_sink(
    till: Till, start: Callable[..., Process], proxy: FaultyProxy
) -> None:
    till.ledger.sell(30)
    proxy.always = proxies.only("S3", proxies.breaks)
    process = start()
    process.until(lambda: till.in_table() == till.rung_up())
    assert process.cursor() is None
    proxy.always = None
    process.until(lambda: process.cursor() == (EPOCH, 31))
    till.everything_is_there_once()


def test_the_bucket_gets_everything_while_the_table_is_down(
    till: Till, start: Callable[..., Process], proxy: FaultyProxy
) -> None:
    till.ledger.sell(30)
    proxy.always = proxies.only("Batch", proxies.breaks)
    process = start()
    process.until(lambda: till.in_bucket() == till.rung_up())
    assert process.cursor() is None


def test_it_comes_back_after_an_outage_and_after_a_kill(
    till: Till, start: Callable[..., Process], proxy: FaultyProxy
) -> None:
    proxy.always = proxies.breaks
    till.ledger.sell(20)
    first = start()
    first.until(lambda: "network" in first.log.read_text())
    first.child.kill()
    first.child.wait(120)
    second = start()
    till.ledger.sell(20)
    second.until(lambda: "network" in second.log.read_text())
    proxy.always = None
    second.until(lambda: second.cursor() == (EPOCH, 41))
    till.everything_is_there_once()


def test_it_fetches_the_assignment_and_follows_its_changes(till: Till, start: Callable[..., Process]) -> None:
    process = start()
    process.until(lambda: "no row for this till yet" in process.log.read_text())
    file = till.settings.assignment
    assert not file.exists()
    assignment = register(till)
    process.until(file.exists)
    assert json.loads(file.read_text()) == assignment
    moved = register(till, store="ST-2")
    process.until(lambda: json.loads(file.read_text()) == moved)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thing": "greentill-other"},
        {"time_zone": "Nowhere/None"},
        {"day_starts": "25:00"},
        {"terminals": "T1"},
        {"currency_exponent": "two"},
        {"version": 2},
    ],
)
def test_an_assignment_that_a_till_could_not_use_replaces_nothing(till: Till, wrong: dict[str, Any]) -> None:
    from edge_components.sync.assignment import AssignmentFetcher
    from edge_components.sync.errors import AssignmentError

    fetcher = AssignmentFetcher(till.settings, till.cloud)
    good = register(till)
    fetcher.step()
    register(till, **wrong)
    with pytest.raises(AssignmentError, match=next(iter(wrong))):
        fetcher.step()
    assert json.loads(till.settings.assignment.read_text()) == good


def test_what_somebody_adds_to_a_row_keeps_no_till_from_its_assignment(till: Till) -> None:
    from edge_components.sync.assignment import AssignmentFetcher

    good = register(till, latitude=Decimal("52.5"), note=None, opened={"year": 1999, "by": ["A"]})
    AssignmentFetcher(till.settings, till.cloud).step()
    assert json.loads(till.settings.assignment.read_text()) == {**good, "latitude": "52.5"}


def test_a_configuration_that_lacks_the_table_is_refused_in_a_sentence(
    till: Till, start: Callable[..., Process]
) -> None:
    process = start(sales_table="")
    assert process.child.wait(120) == 1
    assert "The configuration lacks sales_table." in process.log.read_text()


def test_a_changed_configuration_is_taken_up_without_a_nucleus_restarting_it(
    till: Till, start: Callable[..., Process]
) -> None:
    till.ledger.sell(3)
    process = start(sales_table="t-missing", configuration_seconds="0.2")
    process.until(lambda: "missing" in process.log.read_text())
    process.configure(sales_table=till.settings.sales_table)
    process.until(lambda: till.in_table() == till.rung_up())


@pytest.mark.parametrize("table", ["segment", "watermark"])
def test_a_state_that_is_torn_while_it_is_in_use_is_replaced_and_holds_nothing_up(
    till: Till, start: Callable[..., Process], table: str
) -> None:
    till.ledger.sell(30)
    process = start()
    process.until(lambda: process.cursor() == (EPOCH, 31))
    tear(till.settings.database, table)
    till.ledger.sell(10)
    process.until(lambda: process.cursor() == (EPOCH, 41))
    till.everything_is_there_once()
    assert len(list(till.settings.data_dir.glob("sync.db.damaged-*"))) == 1
    assert process.end() == 0


def tear(database: Path, table: str) -> None:
    """Spoil the table's page, and have everybody read it anew."""
    connection = apsw.Connection(str(database))
    connection.set_busy_timeout(60_000)
    name = (table,)
    found = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", name).fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with database.open("r+b") as file:
        file.seek((int(found[0]) - 1) * 4096)  # type: ignore[index]
        file.write(b"\xa5" * 4096)
    connection.execute("PRAGMA user_version = 7").fetchall()
    connection.close()
