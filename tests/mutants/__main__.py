"""`python -m tests.mutants [NAME ...]`: exit 1 when a mutant survives, 2 when one can't be tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.catalogue import MUTANTS
from tests.mutants.run import Result, try_all

ROOT = Path(__file__).parents[2]
COLOURS = {"caught": "green", "survived": "red", "broken": "yellow"}


def show(results: Sequence[Result], console: Console) -> None:
    table = Table("mutant", "invariant", "", "by", "s", title="Mutants", title_justify="left")
    for result in results:
        by = result.detail.partition("::")[2].partition(" - ")[0] or result.detail
        verdict = f"[{COLOURS[result.verdict]}]{result.verdict}[/]"
        mutant = result.mutant
        table.add_row(mutant.name, str(mutant.invariant), verdict, by, f"{result.seconds:.0f}")
    console.print(table)
    caught = sum(result.verdict == "caught" for result in results)
    console.print(f"{caught} of {len(results)} mutants caught")


def main(wanted: Sequence[str]) -> int:
    out, err = Console(), Console(stderr=True)
    unknown = set(wanted) - {mutant.name for mutant in MUTANTS}
    if unknown:
        err.print(f"no mutant {', '.join(sorted(unknown))}", highlight=False)
        return 2
    chosen = [mutant for mutant in MUTANTS if not wanted or mutant.name in wanted]
    jobs = min(len(chosen), int(os.environ.get("JOBS", "2")))
    results = try_all(ROOT, chosen, jobs, lambda one: err.print(f"{one.mutant.name}: {one.verdict}"))
    show(results, out)
    if any(result.verdict == "broken" for result in results):
        return 2
    return 1 if any(result.verdict == "survived" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
