"""What the demo says while it works: a live table on a terminal, plain lines elsewhere; and its clock."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

Say = Callable[[str], None]


@dataclass(frozen=True)
class Phase:
    """`seconds` is wall time; a background phase runs beside the numbered ones."""

    name: str
    title: str
    seconds: float
    background: bool


class Show:
    """Times phases and shows each one's latest step. Use as a context manager; safe to use from threads."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.phases: list[Phase] = []
        self._began = time.monotonic()
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[step]}", table_column=None),
            console=console,
            disable=not self._live,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def phase(self, name: str, title: str, *, background: bool = False) -> Iterator[Say]:
        """Time what happens inside; the value takes one line per step."""
        task = self._progress.add_task(title, total=1, step="")
        began = time.monotonic()
        self._plain(title, "")

        def say(step: str) -> None:
            self._step(task, title, step)

        try:
            yield say
        except BaseException:
            self._progress.update(task, description=f"[red]{title}")
            self._progress.stop_task(task)
            raise
        seconds = time.monotonic() - began
        self.phases.append(Phase(name, title, round(seconds, 2), background))
        self._progress.update(task, completed=1)
        self._plain(title, f"done in {seconds:.1f} s")

    def _step(self, task: TaskID, title: str, step: str) -> None:
        if self._live:
            self._progress.update(task, step=step[: max(20, self.console.width - 60)])
        else:
            self._plain(title, step)

    def _plain(self, title: str, step: str) -> None:
        if not self._live:
            line = f"[{self.elapsed:6.1f} s] {title}" + (f": {step}" if step else "")
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def write(self, path: Path) -> None:
        """The phases as JSON, for benchmarks and the report."""
        document = {
            "total_seconds": round(self.elapsed, 2),
            "phases": [asdict(phase) for phase in self.phases],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
