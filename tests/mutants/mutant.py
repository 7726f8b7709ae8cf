"""A fault put into the product on purpose, and what ought to notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class MutantError(Exception):
    """A mutant no longer fits the code that it was written for."""


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands once in `path`, becomes `new`; `tests` (pytest's addresses) must then fail.

    `invariant` is the row of docs/invariants.md that the fault breaks.
    """

    name: str
    invariant: int
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> str:
        """Put the fault into the tree at `root`; returns what the file held. Raises MutantError."""
        file = root / self.path
        whole = file.read_text(encoding="utf-8")
        if whole.count(self.old) != 1:
            raise MutantError(
                f"{self.name}: {self.path} holds {self.old!r} {whole.count(self.old)} times, not once:"
                " write the mutant anew for the code as it is"
            )
        file.write_text(whole.replace(self.old, self.new), encoding="utf-8")
        return whole

    def undo(self, root: Path, whole: str) -> None:
        (root / self.path).write_text(whole, encoding="utf-8")
