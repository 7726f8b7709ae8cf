"""The cloud's copies of records, each checked by itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge_components.edgekit.record import RecordError
from sales.findings import Finding, Kind
from sales.verified import HashError, verified

Report = Callable[[Finding], None]
Store = Literal["table", "bucket"]
TAKINGS = frozenset({"sale", "refund", "void"})


@dataclass(frozen=True)
class Copy:
    """One copy of a record; `content` is None where it could not be read."""

    epoch: str
    seq: int
    hash: str
    text: bytes
    content: Mapping[str, Any] | None
    store: Store

    @property
    def position(self) -> tuple[str, int]:
        return self.epoch, self.seq

    @property
    def sound(self) -> bool:
        return self.content is not None


class Known:
    """Texts verified a moment ago: the other store's copy of a record is nearly always the same bytes."""

    MOST = 64

    def __init__(self) -> None:
        self._contents: dict[bytes, Mapping[str, Any]] = {}

    def get(self, text: bytes) -> Mapping[str, Any] | None:
        return self._contents.pop(text, None)

    def add(self, text: bytes, content: Mapping[str, Any]) -> None:
        self._contents[text] = content
        if len(self._contents) > self.MOST:
            del self._contents[next(iter(self._contents))]


def sound(
    text: bytes, *, thing: str, epoch: str, seq: int, store: Store, report: Report, known: Known
) -> Mapping[str, Any] | None:
    """The record in `text` if it is one, in canonical form, with the hash that it should have."""
    before = known.get(text)
    if before is not None:
        return before
    try:
        content = verified(text)
    except RecordError as error:
        report(Finding(Kind.DAMAGED, thing, epoch, seq, f"{store}: {error}"))
        return None
    except HashError:
        report(Finding(Kind.HASH, thing, epoch, seq, store))
        return None
    known.add(text, content)
    return content


def money(content: Mapping[str, Any]) -> int:
    """What a record adds to the takings, in minor units: refunds and voids carry negative amounts."""
    return int(content["body"]["totals"]["total"]) if content["kind"] in TAKINGS else 0


def opened_after(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the first record of an epoch says of the one before; None where it knew of none."""
    previous: Mapping[str, Any] | None = content["body"].get("previous")
    return previous
