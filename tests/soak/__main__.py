"""`python -m tests.soak --minutes 30`: exit 1 unless everything is in the cloud once."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sales.baskets import baskets
from tests.soak.soak import Plan, soak
from tests.soak.tills import account

BASKETS = 2_000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args(arguments)
    err, out = Console(stderr=True), Console()
    err.print(f"seed {options.seed}")
    plan = Plan(options.minutes * 60.0, seed=options.seed)
    chosen = list(baskets([367], limit_per_store=BASKETS))
    with tempfile.TemporaryDirectory(prefix="greentill-soak-") as work, account(Path(work, "cloud")) as found:
        outcome = soak(plan, found, Path(work), chosen, lambda text: err.print(text, style="dim"))
    for till in outcome.verdict.tills:
        out.print(f"{till.thing}: {till.in_table} in DynamoDB, {till.in_bucket} in S3, head {till.head_seq}")
    for finding in outcome.verdict.findings:
        out.print(str(finding), style="red", highlight=False)
    answers = f"{outcome.acknowledged} told, {outcome.unanswered} unanswered, {outcome.refused} refused"
    verdict = "[green]nothing lost, nothing doubled[/]" if outcome.good else "[red]not reconciled[/]"
    out.print(f"{answers}; {outcome.cuts} cuts, {outcome.kills} kills: {verdict}")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
