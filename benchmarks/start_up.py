"""From the start of the launcher to the first sale, with ever longer ledgers, caches warm."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from statistics import median

from benchmarks import ledgers, runtime
from benchmarks.figure import ROOT, Figure, Workshop
from benchmarks.http_client import sale
from benchmarks.launched import LaunchedTill
from benchmarks.servers import first_answer
from tests.soak.tills import Till, free_port


def measure(workshop: Workshop) -> Iterator[Figure]:
    sizes = [1_000, workshop.size(5_000, 100_000), workshop.size(20_000, 1_000_000)]
    rounds = workshop.size(3, 9)
    tills: dict[int, Till] = {}
    for size in sizes:
        workshop.say(f"a ledger of {size:,} records")
        ledgers.make(workshop.scratch / str(size), size)
        tills[size] = LaunchedTill("BENCH", workshop.scratch / str(size), None)
    taken: dict[int, list[float]] = {size: [] for size in [0, *sizes]}
    for number in range(rounds + 1):
        workshop.say(f"starting each, round {number} of {rounds}")
        times = {0: _empty(), **{size: _till(till) for size, till in tills.items()}}
        for size, seconds in times.items():
            if number:  # the first one warms the caches
                taken[size].append(seconds)
    middle = {size: median(seconds) for size, seconds in taken.items()}
    yield Figure.told("start of an empty application to its first answer", middle[0], "s")
    for size in sizes:
        yield Figure.told(f"start to first sale, {size:,} records", middle[size], "s")
    small, large, largest = sizes
    against = f"start to first sale, {large:,} records against an empty application"
    yield Figure.at_most(against, middle[large] / middle[0], "x", 2.0)
    against = f"start to first sale, {largest:,} records against {small:,}"
    yield Figure.at_most(against, middle[largest] / middle[small], "x", 1.2)


def _till(till: Till) -> float:
    began = time.perf_counter()
    till.start("pos")
    try:
        return asyncio.run(first_answer(till.port, "/v1/sales", sale(20))) - began
    finally:
        till.stop()


def _empty() -> float:
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen([runtime.python(), "-m", "benchmarks.empty_server", str(port)], cwd=ROOT)
    try:
        return asyncio.run(first_answer(port, "/", sale(20))) - began
    finally:
        process.kill()
        process.wait()
