"""The aggregator as it runs on a till: started, killed, ended, told where to look."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_components.edgekit.priority import BACKGROUND
from tests.aggregator.ledger_in_front import EPOCH, GrowingLedger, expected, rollups_in
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


class Process:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        configuration = self.folder / "configuration.json"
        configuration.write_text(
            json.dumps({"data_dir": str(self.folder), "poll_seconds": "0.05", "pace": 1})
        )
        with (self.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-P", "-u", "-m", "edge_components.aggregator"],
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "GREENTILL_CONFIGURATION": str(configuration),
                    **environment,
                },
                stderr=log,
            )

    def end(self, number: signal.Signals) -> int:
        if self.running is None:
            return 0
        self.running.send_signal(number)
        code = self.running.wait(timeout=120)
        self.running = None
        return code

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def cursor(self) -> tuple[str, int] | None:
        try:
            found = json.loads((self.folder / "cursors" / "aggregator.json").read_text())
        except FileNotFoundError:
            return None
        return found["epoch"], found["seq"]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.end(signal.SIGKILL)


def test_it_counts_what_is_sold_while_it_runs_and_tells_how_far_it_is(process: Process) -> None:
    process.start()
    wait_for(lambda: "the aggregator waits" in process.log())  # before the first sale there is no ledger
    ledger = GrowingLedger(process.folder / "ledger.db")
    ledger.open_epoch()
    for _ in range(20):
        ledger.ring()
    wait_for(lambda: process.cursor() == (EPOCH, 21))
    assert process.running is not None
    assert os.getpriority(os.PRIO_PROCESS, process.running.pid) == BACKGROUND  # selling goes first
    ledger.ring("void")
    wait_for(lambda: process.cursor() == (EPOCH, 22))
    assert process.end(signal.SIGTERM) == 0
    assert rollups_in(process.folder / "rollups.db") == expected(ledger.records)
    assert "pace is not a setting" in process.log()
    ledger.close()


def test_kills_in_the_middle_neither_lose_nor_double_a_sale(process: Process) -> None:
    ledger = GrowingLedger(process.folder / "ledger.db")
    ledger.open_epoch()
    for _ in range(8):
        for _ in range(150):
            ledger.ring()
        process.start()
        wait_for((process.folder / "rollups.db").exists)
        time.sleep(random.uniform(0, 0.2))  # noqa: S311 - anywhere in its work
        process.end(signal.SIGKILL)
    process.start()
    wait_for(lambda: process.cursor() == (EPOCH, 1_201))
    process.end(signal.SIGTERM)
    assert rollups_in(process.folder / "rollups.db") == expected(ledger.records)
    ledger.close()


def test_nothing_of_the_aws_or_web_libraries_stays_in_its_memory(process: Process) -> None:
    GrowingLedger(process.folder / "ledger.db").open_epoch()
    process.start()
    wait_for(process.cursor)
    assert process.running is not None
    mapped = Path(f"/proc/{process.running.pid}/maps").read_text()
    assert "apsw" in mapped
    assert [name for name in ("awscrt", "pydantic", "uvloop", "_ssl") if name in mapped] == []


def test_a_nucleus_that_does_not_answer_is_told_and_the_process_ends_to_be_started_again(
    process: Process,
) -> None:
    process.start(
        AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT=str(process.folder / "ipc.socket"), SVCUID="token"
    )
    assert process.running is not None
    assert process.running.wait(timeout=240) == 1
    process.running = None
    assert "the aggregator can't start: the nucleus does not answer" in process.log()
