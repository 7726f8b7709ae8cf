"""A sale of 20 lines through HTTP, against the least that it could be: a bare commit, an empty round trip."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from benchmarks import ledgers
from benchmarks.figure import Figure, Workshop
from benchmarks.http_client import Terminal, sale
from benchmarks.servers import empty_server
from benchmarks.statistics_of import percentile, ratio

LINES = 20
ROUNDS = 5


class BareCommits:
    """SQLite with the ledger's durability and nothing else."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").fetchall()
        self._connection.execute("CREATE TABLE records(seq INTEGER PRIMARY KEY, record TEXT)").fetchall()

    def commit(self, content: str) -> float:
        began = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE").fetchall()
        self._connection.execute("INSERT INTO records(record) VALUES(?)", (content,)).fetchall()
        self._connection.execute("COMMIT").fetchall()
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


def measure(workshop: Workshop) -> Iterator[Figure]:
    records, samples = workshop.size(2_000, 100_000), workshop.size(200, 4_000)
    workshop.say(f"a till with {records:,} records")
    till = ledgers.make(workshop.scratch / "till", records)
    till.start("pos")
    bare = BareCommits(workshop.scratch / "bare.db")
    try:
        till.until_selling()
        with empty_server() as empty:
            rounds = asyncio.run(_rounds(workshop, till.port, empty, bare, samples))
    finally:
        bare.close()
        till.stop()
    yield from _figures(rounds, records)


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
        commits = [bare.commit(body.decode()) for body in bodies]
        rounds.append((ours, [sum(both) for both in zip(trips, commits, strict=True)]))
    return rounds


async def _post(port: int, path: str, bodies: list[bytes]) -> list[float]:
    """What each took, on a connection of their own: one that is idle for a round is closed by the server."""
    terminal = await Terminal.connect(port)
    try:
        return [await terminal.post(path, body) for body in bodies]
    finally:
        terminal.close()


def _figures(rounds: list[tuple[list[float], list[float]]], records: int) -> Iterator[Figure]:
    name = f"sale of {LINES} lines through HTTP, ledger of {records:,}"
    for part, label, goal in ((0.99, "p99", 2.0), (0.999, "p99.9", 5.0)):
        ours = [percentile(one, part) for one, _ in rounds]
        theirs = [percentile(other, part) for _, other in rounds]
        yield Figure.told(f"{name}: {label}, median of {ROUNDS}", sorted(ours)[len(ours) // 2] * 1000, "ms")
        against = f"{name}: {label} against a bare commit and an empty round trip"
        yield Figure.at_most(against, ratio(ours, theirs), "x", goal)
