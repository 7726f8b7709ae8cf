"""What a replay saw, one JSON line per basket: the proof that a terminal holds of what it was told."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, Self, TextIO

Outcome = Literal["acknowledged", "refused", "unanswered"]


class JournalError(Exception):
    """A journal that can't be read; the text names file and line."""


@dataclass(frozen=True)
class Entry:
    """One basket at one till. Amounts in cents, times in seconds.

    `at` is when it ended (seconds since 1970). `latency` is that of the attempt that was answered; `waited`
    counts from the first attempt. `online` says whether the till had its uplink when the sale was rung up.
    """

    basket_id: int
    store_id: int
    total: int
    sale_id: str
    thing: str
    terminal: str
    outcome: Outcome
    online: bool
    attempts: int
    latency: float
    waited: float
    epoch: str | None = None
    seq: int | None = None
    hash: str | None = None
    receipt_no: str | None = None
    exceptions: tuple[str, ...] = ()
    reason: str | None = None
    at: float = 0.0

    def line(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise TypeError("it is no JSON object")
        known = {field.name for field in fields(cls)}
        entry = cls(**{key: value for key, value in values.items() if key in known})
        object.__setattr__(entry, "exceptions", tuple(entry.exceptions))
        return entry


class Journal:
    """Appends entries to a file, each on disk before the next basket, and knows those of earlier runs."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError where no journal can be kept."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise JournalError(f"no journal can be kept at {path}: {error.strerror}") from error

    def append(self, entry: Entry) -> None:
        with self.path.open("a", encoding="utf-8") as out:
            out.write(entry.line())

    def latest(self) -> dict[int, Entry]:
        """The last entry of each basket, by basket: a later run asks again for what went unanswered."""
        return {entry.basket_id: entry for entry in read([self.path])} if self.path.exists() else {}


def read(paths: Iterable[Path]) -> Iterator[Entry]:
    """Entries of the given journals in their order. Raises JournalError, naming file and line."""
    for path in paths:
        with _opened(path) as lines:
            for number, text in enumerate(lines, 1):
                yield _entry(path, number, text)


def expect(paths: Iterable[Path]) -> None:
    """Raises JournalError where one of these can't be read at all, before anything else is asked."""
    for path in paths:
        with _opened(path):
            pass


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            yield lines
    except FileNotFoundError as error:
        raise JournalError(f"no journal at {path}; make one with: greentill sales replay") from error
    except OSError as error:
        raise JournalError(f"the journal {path} can't be read: {error.strerror}") from error


def _entry(path: Path, number: int, text: str) -> Entry:
    try:
        return Entry.parse(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise JournalError(f"{path} line {number} is no journal entry: {error}") from error
