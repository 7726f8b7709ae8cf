"""Delivering over 1 Mbit/s and 100 ms: how much of the line sync uses while it has something to send."""

import time
from collections.abc import Iterator

from benchmarks import drains, ledgers
from benchmarks.drains import Target
from benchmarks.figure import Figure, Workshop
from tests.soak.relay import Relay
from tests.soak.tills import account

BYTES_PER_SECOND = 125_000.0
ROUND_TRIP_SECONDS = 0.1


def measure(workshop: Workshop) -> Iterator[Figure]:
    sales = workshop.size(1_000, 10_000)
    workshop.say(f"{sales:,} sales over a line of 1 Mbit/s")
    till = ledgers.make(workshop.scratch / "till", sales)
    with account(workshop.scratch / "cloud", fleet="bench") as found:
        relay = Relay(found.endpoint, bytes_per_second=BYTES_PER_SECOND, delay_seconds=ROUND_TRIP_SECONDS / 2)
        endpoint = {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{relay.port}"}
        try:
            target = Target(found.names, {**found.environment, **endpoint})
            began = time.perf_counter()
            spent = drains.by_sync(till, workshop.scratch / "thin", target, "THIN")
            sent = relay.bytes["up"]
        finally:
            relay.close()
    workshop.say(f"{sent:,} bytes up in {spent.seconds:.1f} of {time.perf_counter() - began:.1f} s")
    used = sent / spent.seconds / BYTES_PER_SECOND
    yield Figure.told("1 Mbit/s and 100 ms: bytes sent per sale", sent / sales, "bytes")
    yield Figure.at_least("1 Mbit/s and 100 ms: share of the line that is used", used, "", 0.85)
