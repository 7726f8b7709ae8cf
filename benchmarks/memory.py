"""What pos, sync and the aggregator hold of memory, launchers included, at once and many sales later."""

import asyncio
import os
import time
from collections.abc import Iterator
from threading import Event, Thread

from benchmarks.figure import Figure, Workshop
from benchmarks.http_client import Terminal, sale
from benchmarks.launched import LaunchedTill
from benchmarks.processes import pss_megabytes, with_children
from tests.soak.tills import Till, account

GOAL = 130.0
FLAT = 1.05  # of what there was after the first sales
LINES = 5
SETTLE_SECONDS = 5.0


class Peak:
    """The most that a till's processes held together, looked at four times a second."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._stop = Event()
        self._thread = Thread(target=self._run)
        self.most = 0.0
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            self.most = max(self.most, together(self._till))

    def end(self) -> float:
        self._stop.set()
        self._thread.join()
        return self.most


def together(till: Till) -> float:
    """PSS of all of a till's processes in 10^6 bytes."""
    return sum(map(pss_megabytes, _pids(till)))


def _pids(till: Till) -> list[int]:
    return [pid for process in till.running.values() for pid in with_children(process.pid)]


def measure(workshop: Workshop) -> Iterator[Figure]:
    first, more = workshop.size(1_000, 5_000), workshop.size(3_000, 200_000)
    with account(workshop.scratch / "cloud", fleet="bench") as found:
        till = LaunchedTill("BENCH", workshop.scratch / "till", found)
        till.configure("aggregator", os.environ, data_dir=str(till.data))
        till.start()
        try:
            till.until_selling()
            yield from _sold(workshop, till, first, more)
        finally:
            till.stop()


def _sold(workshop: Workshop, till: Till, first: int, more: int) -> Iterator[Figure]:
    peak = Peak(till)
    try:
        settled = _sell_and_settle(workshop, till, first)
    finally:
        most = peak.end()
    for name, process in till.running.items():
        component = sum(map(pss_megabytes, with_children(process.pid)[1:]))
        yield Figure.told(f"memory of {name} after {first:,} sales", component, "MB")
    launchers = sum(pss_megabytes(process.pid) for process in till.running.values())
    yield Figure.told(f"memory of their launchers after {first:,} sales", launchers, "MB")
    yield Figure.at_most(f"memory after {first:,} sales, peak", most, "MB", GOAL)
    yield Figure.at_most(f"memory after {first:,} sales, settled", settled, "MB", GOAL)
    later = _sell_and_settle(workshop, till, more)
    yield Figure.told(f"memory after {more:,} more sales", later, "MB")
    yield Figure.at_most(f"memory after {more:,} more sales against before", later / settled, "x", FLAT)


def _sell_and_settle(workshop: Workshop, till: Till, sales: int) -> float:
    workshop.say(f"{sales:,} sales, delivered, then left alone")
    asyncio.run(_sell(till.port, sales))
    till.until_delivered(3_600)
    time.sleep(SETTLE_SECONDS)
    return together(till)


async def _sell(port: int, sales: int) -> None:
    terminal = await Terminal.connect(port)
    for _ in range(sales):
        await terminal.post("/v1/sales", sale(LINES))
    terminal.close()
