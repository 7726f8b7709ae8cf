"""`python -m benchmarks [--full] [NAME ...]`: measure into build/bench.json; exits 1 if it misses a goal.

What was measured is written and shown also when it is interrupted (exit 130) or breaks.
"""

import argparse
import json
import pkgutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import benchmarks
from benchmarks.figure import ROOT, BenchmarkError, Figure, Workshop

OUTPUT = ROOT / "build" / "bench.json"


def names() -> list[str]:
    """The benchmarks that there are: modules of this package that can `measure`."""
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return [name for name in modules if name != "__main__" and hasattr(_module(name), "measure")]


def take(wanted: Iterable[str], console: Console, *, full: bool = False) -> Iterator[Figure]:
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as scratch:
            workshop = Workshop(Path(scratch), lambda step: console.print(step, style="dim"), full)
            try:
                yield from _module(name).measure(workshop)
            except BenchmarkError as error:
                console.print(
                    f"[yellow]{name} not taken:[/] {escape(str(error))}", highlight=False, soft_wrap=True
                )


def _module(name: str) -> Any:
    """A module that may have `measure`."""
    return import_module(f"{benchmarks.__name__}.{name}")


def show(figures: Sequence[Figure], console: Console) -> None:
    table = Table("figure", "value", "goal", "", title="Benchmarks", title_justify="left")
    for figure in figures:
        goal = "" if figure.goal is None else f"{figure.goal:,.10g}"
        met = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[figure.met]
        table.add_row(figure.name, f"{figure.value:,.10g} {figure.unit}", goal, met)
    console.print(table)


def main(arguments: Sequence[str]) -> int:
    there = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure against goals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; everything without one")
    parser.add_argument("--full", action="store_true", help="the sample counts that goals are stated for")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the figures go as JSON")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(there))
    err = Console(stderr=True)
    if unknown:
        err.print(f"no benchmark {', '.join(unknown)}; there are {', '.join(there)}")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing stays behind then either
    figures: list[Figure] = []
    try:
        figures.extend(take(chosen.names or there, err, full=chosen.full))
    except KeyboardInterrupt:
        err.print("interrupted: what was measured until now follows")
        return 130
    finally:
        write(figures, chosen.output)
        show(figures, Console())
    return 1 if any(figure.met is False for figure in figures) else 0


def write(figures: Sequence[Figure], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([figure.document() for figure in figures], indent=2)
    output.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
