"""`cdk synth` of everything against an empty Python CDK app, in turns, in the same run."""

from collections.abc import Iterator
from statistics import median

from benchmarks.cdk import synth
from benchmarks.figure import ROOT, Figure, Workshop

ROUNDS = 5
GOAL = 2.0
EMPTY = """\
from aws_cdk import App, Stack

app = App()
Stack(app, "Empty")
app.synth()
"""


def measure(workshop: Workshop) -> Iterator[Figure]:
    empty = workshop.scratch / "empty.py"
    empty.write_text(EMPTY, encoding="utf-8")
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(1, ROUNDS + 1):
        workshop.say(f"cdk synth, round {number} of {ROUNDS}")
        theirs.append(synth(empty, workshop.scratch / "empty.out"))
        ours.append(synth(ROOT / "app.py", workshop.scratch / "everything.out"))
    yield Figure.told("cdk synth of an empty app, median of 5", median(theirs), "s")
    yield Figure.told("cdk synth of everything, median of 5", median(ours), "s")
    yield Figure.at_most(
        "cdk synth of everything against an empty app", median(ours) / median(theirs), "x", GOAL
    )
