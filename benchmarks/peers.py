"""Against what a user would pick instead: what a power cut costs, then rate and p99, on the same disk."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import uuid_utils

from benchmarks.figure import BenchmarkError, Figure, Workshop
from benchmarks.http_client import basket
from benchmarks.jetstream import JetStream
from benchmarks.peer_kinds import CsvFile, Greentill, Mosquitto, Peer, PersistQueue
from benchmarks.statistics_of import percentile
from tests.faults import disk
from tests.faults.image import Disk, materialise

LINES = 20
ROUNDS = 3
PEERS: tuple[type[Peer], ...] = (Greentill, CsvFile, PersistQueue, Mosquitto, JetStream)
SEED = 20_261_121  # which moments, and what the disk then keeps: the same for all


def measure(workshop: Workshop) -> Iterator[Figure]:
    records, cuts = workshop.size(60, 500), workshop.size(10, 200)
    there: list[Peer] = []
    for kind in PEERS:
        peer = kind()
        workshop.say(f"{peer.name}: {cuts} power cuts while {records} sales are kept")
        try:
            lost, doubled = _cut(peer, workshop.scratch / peer.name, records, cuts)
        except BenchmarkError as error:
            if isinstance(peer, Greentill):
                raise
            workshop.say(f"{peer.name} not taken: {error}")
            continue
        there.append(peer)
        goal = Figure.at_most if isinstance(peer, Greentill) else None
        for what, value in (("lost", lost), ("doubled", doubled)):
            name = f"{peer.name}: sales {what} in {cuts} power cuts"
            yield goal(name, value, "sales", 0) if goal else Figure.told(name, value, "sales")
    yield from _rates(workshop, there, records)


def _rates(workshop: Workshop, peers: Sequence[Peer], records: int) -> Iterator[Figure]:
    times: dict[str, list[list[float]]] = {peer.name: [] for peer in peers}
    for number in range(1, ROUNDS + 1):
        for peer in peers:
            workshop.say(f"{peer.name}: {records} sales without a cut, round {number} of {ROUNDS}")
            folder = workshop.scratch / f"{peer.name}-{number}" / "data"
            folder.mkdir(parents=True)
            times[peer.name].append(peer.keep(folder, sales(records), {}))
    for name, rounds in times.items():
        rates = [records / sum(one) for one in rounds]
        yield Figure.told(f"{name}: rate of one terminal, median of {ROUNDS}", median(rates), "/s")
        p99 = median(percentile(one, 0.99) for one in rounds)
        yield Figure.told(f"{name}: p99, median of {ROUNDS}", p99 * 1000, "ms")


def sales(count: int) -> list[dict[str, Any]]:
    """Sales that carry their number where every peer keeps it."""
    one = basket(LINES)
    return [
        {
            **one,
            "number": number,
            "customer_ref": str(number),
            "terminal": "T1",
            "sale_id": str(uuid_utils.uuid7()),
        }
        for number in range(count)
    ]


def _cut(peer: Peer, work: Path, records: int, cuts: int) -> tuple[int, int]:
    """How many sales were lost and doubled over all cuts, each with a terminal that asks again afterwards."""
    folder, journal = work / "data", work / "journal"
    folder.mkdir(parents=True)
    before = Disk(folder, names_with_files=True)
    sold = sales(records)
    peer.keep(folder, sold, disk.environment(folder, journal=journal))
    played = list(disk.entries(journal))
    told = peer.told(played)
    chance = random.Random(SEED)  # noqa: S311 - which moments
    points = sorted(chance.sample(range(told[0] + 1, len(played)), min(cuts, len(played) - told[0] - 1)))
    lost = doubled = done = 0
    for point in points:
        before.play(played[done:point])
        done = point
        image = work / f"cut-{point}" / "data"
        materialise(before.image(random.Random(f"{SEED}/{point}")), image)  # noqa: S311 - what the cut takes
        kept = sum(when < point for when in told)
        more, twice = _after(peer, image, sold, kept)
        lost += more
        doubled += twice
    return lost, doubled


def _after(peer: Peer, image: Path, sold: Sequence[Mapping[str, Any]], kept: int) -> tuple[int, int]:
    """The terminal that got no answer asks again; then everything is counted."""
    peer.keep(image, sold[kept : kept + 1], {})
    found = peer.present(image)
    lost = sum(found[number] == 0 for number in range(kept))
    return lost, sum(count > 1 for count in found.values())
