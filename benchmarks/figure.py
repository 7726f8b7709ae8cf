"""A measured figure, and what a benchmark may use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """`value` and `goal` are in `unit`; without a goal a figure is only told."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    met: bool | None = None

    @classmethod
    def at_most(cls, name: str, value: float, unit: str, goal: float) -> "Figure":
        return cls(name, round(value, 3), unit, goal, value <= goal)

    @classmethod
    def at_least(cls, name: str, value: float, unit: str, goal: float) -> "Figure":
        return cls(name, round(value, 3), unit, goal, value >= goal)

    @classmethod
    def told(cls, name: str, value: float, unit: str) -> "Figure":
        return cls(name, round(value, 3), unit)

    def document(self) -> dict[str, Any]:
        return {
            "name": f"{self.name} ({self.unit})",
            "value": self.value,
            "goal": self.goal,
            "met": self.met,
        }


@dataclass(frozen=True)
class Workshop:
    """A folder that is gone afterwards, a way to say how far it is, and how thorough it shall be."""

    scratch: Path
    say: Callable[[str], None]
    full: bool = False

    def size(self, quick: int, full: int) -> int:
        """How many of something: `full` is what a goal is stated for, `quick` shows that it works."""
        return full if self.full else quick


class BenchmarkError(Exception):
    """A benchmark can't be taken; one sentence that says what to do."""
