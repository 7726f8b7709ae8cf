"""What can be wrong with a catalogue; each message says what to do."""

from collections.abc import Sequence


class CatalogueError(Exception):
    """A catalogue can't be made or published."""


class ProductsError(CatalogueError):
    """The products can't be taken; `problems` has a sentence for every bad line, with its number."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"{source} has {len(problems)} {noun}; nothing was published")
        self.problems = tuple(problems)
