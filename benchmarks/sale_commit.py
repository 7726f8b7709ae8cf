"""A sale of 20 lines through HTTP, against the least that it could be: a bare commit, an empty round trip.

On this disk, and on one whose syncs take 8 ms longer, like an SD card.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping

from benchmarks import ledgers
from benchmarks.bare_commits import BareCommits, bare_commits
from benchmarks.figure import Figure, Workshop
from benchmarks.http_client import Terminal, sale
from benchmarks.servers import empty_server
from benchmarks.statistics_of import percentile, ratio
from benchmarks.terminals import CARD_SECONDS
from tests.faults import disk
from tests.soak.tills import Till

LINES = 20
ROUNDS = 5


def measure(workshop: Workshop) -> Iterator[Figure]:
    records, samples = workshop.size(2_000, 100_000), workshop.size(200, 4_000)
    workshop.say(f"a till with {records:,} records")
    till = ledgers.make(workshop.scratch / "till", records)
    yield from _compared(workshop, till, samples, f"ledger of {records:,}", {})
    control = disk.Control(workshop.scratch / "control")
    control.slow_syncs(CARD_SECONDS)
    slow = disk.environment(workshop.scratch, control=control)
    try:
        yield from _compared(workshop, till, samples // 4, "with a sync of 8 ms", slow)
    finally:
        control.close()


def _compared(
    workshop: Workshop, till: Till, samples: int, where: str, environment: Mapping[str, str]
) -> Iterator[Figure]:
    """Of a till and of bare commits that have this in their environment, too."""
    till.environment["pos"] |= environment
    till.start("pos")
    database = workshop.scratch / f"bare {where}.db"
    try:
        till.until_selling()
        with empty_server() as empty, bare_commits(database, {**os.environ, **environment}) as bare:
            rounds = asyncio.run(_rounds(workshop, till.port, empty, bare, samples))
    finally:
        till.stop()
    yield from _figures(rounds, where)


async def _rounds(
    workshop: Workshop, pos: int, empty: int, bare: BareCommits, samples: int
) -> list[tuple[list[float], list[float]]]:
    """For each round, what our sales took and what a bare commit and an empty round trip took together."""
    rounds = []
    for number in range(1, ROUNDS + 1):
        workshop.say(f"{samples:,} sales of {LINES} lines, round {number} of {ROUNDS}")
        bodies = [sale(LINES) for _ in range(samples)]
        ours = await _post(pos, "/v1/sales", bodies)
        trips = await _post(empty, "/", bodies)
        commits = [bare.commit(body) for body in bodies]
        rounds.append((ours, [sum(both) for both in zip(trips, commits, strict=True)]))
    return rounds


async def _post(port: int, path: str, bodies: list[bytes]) -> list[float]:
    """What each took, on a connection of their own: one that is idle for a round is closed by the server."""
    terminal = await Terminal.connect(port)
    try:
        return [await terminal.post(path, body) for body in bodies]
    finally:
        terminal.close()


def _figures(rounds: list[tuple[list[float], list[float]]], where: str) -> Iterator[Figure]:
    name = f"sale of {LINES} lines through HTTP, {where}"
    for part, label, goal in ((0.99, "p99", 2.0), (0.999, "p99.9", 5.0)):
        ours = [percentile(one, part) for one, _ in rounds]
        theirs = [percentile(other, part) for _, other in rounds]
        yield Figure.told(f"{name}: {label}, median of {ROUNDS}", sorted(ours)[len(ours) // 2] * 1000, "ms")
        against = f"{name}: {label} against a bare commit and an empty round trip"
        yield Figure.at_most(against, ratio(ours, theirs), "x", goal)
