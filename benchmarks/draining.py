"""Delivering a backlog of real sales: rate against the twin, CPU against a sink that keeps nothing."""

from collections.abc import Iterator

from benchmarks import drains, ledgers
from benchmarks.drains import Spent, Target
from benchmarks.figure import Figure, Workshop
from benchmarks.null_sink import null_sink
from benchmarks.statistics_of import ratio
from infra.names import Names
from tests.soak.tills import Till, account

ROUNDS = 3


def measure(workshop: Workshop) -> Iterator[Figure]:
    sales = workshop.size(5_000, 100_000)
    workshop.say(f"a backlog of {sales:,} sales")
    till = ledgers.make(workshop.scratch / "till", sales)
    with account(workshop.scratch / "cloud", fleet="bench") as found:
        target = Target(found.names, found.environment)
        ours, bare = _rounds(workshop, till, target, f"{sales:,} sales to the twin")
    yield Figure.told(
        f"draining {sales:,} sales, both sinks, the twin's cloud", sales / ours[-1].seconds, "/s"
    )
    against = "draining: rate against a bare boto3 loop, the twin's cloud"
    yield Figure.at_least(against, ratio([b.seconds for b in bare], [o.seconds for o in ours]), "x", 0.8)
    with null_sink(workshop.scratch) as (port, ca):
        target = Target.at(port, ca, Names("bench", "000000000000", "eu-west-1"))
        ours, bare = _rounds(workshop, till, target, f"{sales:,} sales to a null sink")
    thousands = sales / 1_000
    yield Figure.told("draining: CPU per 1,000 sales, null sink", ours[-1].cpu / thousands, "s")
    against = "draining: CPU against a bare boto3 loop, null sink"
    yield Figure.at_most(against, ratio([o.cpu for o in ours], [b.cpu for b in bare]), "x", 1.5)


def _rounds(workshop: Workshop, till: Till, target: Target, name: str) -> tuple[list[Spent], list[Spent]]:
    ours, bare = [], []
    where = "null" if "null" in name else "twin"
    for number in range(ROUNDS):
        workshop.say(f"{name}, round {number + 1} of {ROUNDS}")
        folder = workshop.scratch / f"{where}-{number}"
        ours.append(drains.by_sync(till, folder, target, f"SYNC{where}{number}"))
        bare.append(drains.by_bare_loop(till, target, f"BARE{where}{number}"))
    return ours, bare
