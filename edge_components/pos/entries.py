"""What a terminal asks to be recorded, whatever its kind, and how the ledger meets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apsw

from .assignment import Assignment
from .model import Reason

Body = Mapping[str, Any]
Exceptions = tuple[Mapping[str, str], ...]


class EntryRefusedError(Exception):
    """The ledger says no, and nothing is recorded: `status` is HTTP's, `code` for programs."""

    def __init__(self, status: int, code: str, message: str, reasons: Sequence[Reason] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reasons = list(reasons)


@dataclass(frozen=True, slots=True)
class Scene:
    """What an entry finds when its turn comes, inside the transaction that will hold it."""

    connection: apsw.Connection
    assignment: Assignment
    business_date: str  # of the record that is about to be written
    local_date: str  # the trading day by the clock alone
    clock_synchronized: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """An entry as it is recorded; `reverses` is the (epoch, seq) of the sale that it takes back from."""

    body: Body
    exceptions: Exceptions = ()
    reverses: tuple[str, int] | None = None


class Entry(Protocol):
    """`sale_id` is the request's own id, the idempotency key; every entry gets a receipt number."""

    @property
    def kind(self) -> str: ...
    @property
    def sale_id(self) -> str: ...
    @property
    def terminal(self) -> str: ...
    @property
    def cashier(self) -> str: ...

    def matches(self, found: Mapping[str, Any]) -> bool:
        """Whether the record that has this id says what this entry says."""

    def settle(self, scene: Scene) -> Settled:
        """The body and exceptions to record; raises EntryRefusedError."""
