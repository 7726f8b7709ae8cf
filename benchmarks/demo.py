"""How long each phase of the last demo took."""

import json
from collections.abc import Iterator

from benchmarks.figure import ROOT, BenchmarkError, Figure, Workshop

PHASES = ROOT / "build" / "demo" / "phases.json"
GOAL = 180.0  # seconds on 2 cores, once everything is installed and cached


def measure(workshop: Workshop) -> Iterator[Figure]:
    workshop.say("the last demo's phases")
    try:
        document = json.loads(PHASES.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BenchmarkError("no demo has run to its end here: run make demo, then make bench") from error
    for phase in document["phases"]:
        beside = ", beside the others" if phase["background"] else ""
        yield Figure.told(f"demo: {phase['title']}{beside}", phase["seconds"], "s")
    yield Figure.at_most("demo: everything", document["total_seconds"], "s", GOAL)
