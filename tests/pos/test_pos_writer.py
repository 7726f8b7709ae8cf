"""Group commit: what comes while others are written goes to disk with them, and nothing waits for company."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_components.pos.ledger import Ledger
from edge_components.pos.settings import Settings
from edge_components.pos.till import Till
from tests.pos.pos_process import ASSIGNMENT

PATIENCE = 120.0


class Committed:
    """How many transactions there were."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def committed() -> Committed:
    return Committed()


@pytest.fixture
def till(tmp_path: Path, committed: Committed) -> Iterator[Till]:
    (tmp_path / "assignment.json").write_text(json.dumps(ASSIGNMENT))
    till = Till(Settings(data_dir=tmp_path, reserve_bytes=0, ballast_bytes=0), committed=committed)
    till.look_for_assignment()
    yield till
    till.close()


def test_what_comes_while_another_is_written_goes_to_disk_with_it(till: Till, committed: Committed) -> None:
    _, writer = till.ready()
    begun, queued = threading.Event(), threading.Event()

    def first(_ledger: Ledger) -> str:
        begun.set()
        assert queued.wait(PATIENCE)
        return "first"

    async def both() -> list[str]:
        one = asyncio.create_task(writer.submit(first))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        two = asyncio.create_task(writer.submit(lambda _ledger: "second"))
        await asyncio.sleep(0)  # it is queued now
        queued.set()
        return list(await asyncio.gather(one, two))

    before = committed.count
    assert asyncio.run(both()) == ["first", "second"]
    assert committed.count - before == 1


def test_one_alone_is_committed_alone_and_what_is_queued_at_the_end_is_kept(
    till: Till, committed: Committed
) -> None:
    _, writer = till.ready()
    begun, ending = threading.Event(), threading.Event()

    def first(_ledger: Ledger) -> str:
        begun.set()
        assert ending.wait(PATIENCE)
        return "first"

    async def to_the_end() -> list[str]:
        alone = await writer.submit(lambda _ledger: "alone")
        one = asyncio.create_task(writer.submit(first))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        two = asyncio.create_task(writer.submit(lambda _ledger: "second"))
        await asyncio.sleep(0)
        stopped = asyncio.create_task(asyncio.to_thread(till.close))
        await asyncio.sleep(0)
        ending.set()
        found = [alone, *await asyncio.gather(one, two)]
        await stopped
        return found

    before = committed.count
    assert asyncio.run(to_the_end()) == ["alone", "first", "second"]
    assert committed.count - before == 2
