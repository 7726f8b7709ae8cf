"""What a terminal notices of a backlog that is being delivered: nothing that it should."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ledgers
from benchmarks.figure import Figure, Workshop
from benchmarks.http_client import Terminal, sale
from benchmarks.statistics_of import percentile, ratio
from tests.soak.relay import Relay
from tests.soak.tills import Till, account

ROUNDS = 5
LINES = 20
PAUSE = 0.02
CLOUD_BYTES_PER_SECOND = 500_000.0  # paces the twin, so that it leaves its core to the terminal too


def measure(workshop: Workshop) -> Iterator[Figure]:
    backlog, sales = workshop.size(20_000, 200_000), workshop.size(300, 1_000)
    workshop.say(f"a backlog of {backlog:,} sales")
    source = ledgers.make(workshop.scratch / "source", backlog)
    with account(workshop.scratch / "cloud", fleet="bench") as found:
        relay = Relay(found.endpoint, bytes_per_second=CLOUD_BYTES_PER_SECOND)
        till = Till("BENCH", workshop.scratch / "till", found, relay.port)
        ledgers.adopt(source, till)
        try:
            till.start()
            till.until_selling()
            _pin(till)
            idle, busy, left = _rounds(workshop, till, sales)
        finally:
            _let_go_on(till)
            till.stop()
            relay.close()
    yield Figure.told("backlog left after selling while draining", left, "records")
    yield Figure.told("sale while draining: p99", percentile(busy[-1], 0.99) * 1000, "ms")
    ours, theirs = [percentile(one, 0.99) for one in busy], [percentile(one, 0.99) for one in idle]
    yield Figure.at_most("sale while draining: p99 against idle", ratio(ours, theirs), "x", 2.0)


def _rounds(workshop: Workshop, till: Till, sales: int) -> tuple[list[list[float]], list[list[float]], int]:
    """Each round sells once with sync stopped in its tracks and once with it delivering."""
    idle, busy = [], []
    for number in range(1, ROUNDS + 1):
        workshop.say(f"selling with and without delivery, round {number} of {ROUNDS}")
        till.running["sync"].send_signal(signal.SIGSTOP)
        idle.append(asyncio.run(_sell(till.port, sales)))
        till.running["sync"].send_signal(signal.SIGCONT)
        busy.append(asyncio.run(_sell(till.port, sales)))
    return idle, busy, int(till.health()["backlog"] or 0)


def _pin(till: Till) -> None:
    """pos and sync share the last core, as everything else keeps the first."""
    last = max(os.sched_getaffinity(0))
    for process in till.running.values():
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {last})


def _let_go_on(till: Till) -> None:
    if "sync" in till.running:
        till.running["sync"].send_signal(signal.SIGCONT)


async def _sell(port: int, sales: int) -> list[float]:
    terminal = await Terminal.connect(port)
    times = []
    for _ in range(sales):
        times.append(await terminal.post("/v1/sales", sale(LINES)))
        await asyncio.sleep(PAUSE)
    terminal.close()
    return times
