"""Eight terminals against one: on this disk, and on one whose syncs take 8 ms longer, like an SD card."""

import asyncio
import time
from collections.abc import Iterator
from statistics import median

from benchmarks.figure import Figure, Workshop
from benchmarks.http_client import Terminal, sale
from benchmarks.statistics_of import percentile
from tests.faults import disk
from tests.soak.tills import Till

CARD_SECONDS = 0.008
TERMINALS = 8
LINES = 20
ROUNDS = 5


def measure(workshop: Workshop) -> Iterator[Figure]:
    control = disk.Control(workshop.scratch / "control")
    till = Till("BENCH", workshop.scratch / "till", None)
    till.environment["pos"] |= disk.environment(till.data, control=control)
    till.start("pos")
    try:
        till.until_selling()
        sales = workshop.size(25, 250)
        for name, seconds, goal in (("on this disk", 0.0, 1.5), ("with a sync of 8 ms", CARD_SECONDS, 3.5)):
            workshop.say(f"{TERMINALS} terminals against one, {name}")
            control.slow_syncs(seconds)
            yield from _compare(till.port, sales, name, goal, control, counted=bool(seconds))
    finally:
        till.stop()
        control.close()


def _compare(
    port: int, sales: int, name: str, goal: float, control: disk.Control, *, counted: bool
) -> Iterator[Figure]:
    ratios, syncs, slowest = [], [], []
    for _ in range(ROUNDS):
        one, _ = asyncio.run(_sell(port, 1, sales))
        before = control.syncs
        eight, times = asyncio.run(_sell(port, TERMINALS, sales))
        syncs.append((control.syncs - before) / (TERMINALS * sales))
        ratios.append(eight / one)
        worst = [percentile(mine, 0.99) for mine in times]
        slowest.append(max(worst) / median(worst))
    yield Figure.at_least(f"{TERMINALS} terminals' rate against one's, {name}", median(ratios), "x", goal)
    if counted:
        yield Figure.at_most(f"syncs per sale of {TERMINALS} terminals, {name}", median(syncs), "", 0.35)
    told = f"slowest terminal's p99 against the median one's, {name}"
    yield Figure.at_most(told, median(slowest), "x", 1.5)


async def _sell(port: int, terminals: int, sales: int) -> tuple[float, list[list[float]]]:
    """Sales per second of all together, and each terminal's times."""
    connected = [await Terminal.connect(port) for _ in range(terminals)]
    bodies = [[sale(LINES, f"T{number + 1}") for _ in range(sales)] for number in range(terminals)]

    async def ring_up(terminal: Terminal, mine: list[bytes]) -> list[float]:
        return [await terminal.post("/v1/sales", body) for body in mine]

    began = time.perf_counter()
    times = await asyncio.gather(*(ring_up(*each) for each in zip(connected, bodies, strict=True)))
    rate = terminals * sales / (time.perf_counter() - began)
    for terminal in connected:
        terminal.close()
    return rate, list(times)
