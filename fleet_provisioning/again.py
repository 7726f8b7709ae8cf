"""Changes that have to win: repeated with the row as it is then, where somebody else was at it meanwhile."""

from collections.abc import Callable
from typing import TypeVar

from fleet_provisioning.errors import ChangedError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.registry import Row

MOST_TRIES = 10
Outcome = TypeVar("Outcome")


def with_the_row(fleet: Fleet, row: Row, change: Callable[[Row], Outcome]) -> Outcome:
    """Raises ChangedError when others changed it every time."""
    for _ in range(MOST_TRIES - 1):
        try:
            return change(row)
        except ChangedError:
            row = fleet.till(row.thing)
    return change(row)
