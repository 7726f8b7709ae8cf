"""What the rules are held against: the store, its limits, its catalogue and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ..assignment import Assignment
from .settings import RuleSettings


class Item(Protocol):
    """What the rules need of a catalogue's item."""

    @property
    def description(self) -> str: ...
    @property
    def unit_price(self) -> str: ...
    @property
    def tax_code(self) -> str | None: ...


@dataclass(frozen=True)
class Circumstances:
    """`find` looks an item up by its sku, and is None where there is no catalogue.

    `now` is None while the clock is not known to be right: then nobody is refused for the hour.
    `paired` is the terminal that a token belongs to, None on loopback.
    """

    assignment: Assignment
    tax_rates: Mapping[str, str] = field(default_factory=dict)
    rules: RuleSettings = field(default_factory=RuleSettings)
    find: Callable[[str], Item | None] | None = None
    now: datetime | None = None
    paired: str | None = None
