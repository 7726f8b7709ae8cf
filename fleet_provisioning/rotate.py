"""Orders new certificates and follows how they come along."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.registry import Row
from infra.identity.rotation import due as dues
from infra.identity.rotation import orders
from infra.identity.rotation.shadow import UnsettledError

OVER = ("swapped", "failed")
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Rotating:
    """`state` is wanted, signed, swapped or failed; `started` false for one that was under way already."""

    thing: str
    stage: str
    rotation: str
    state: str
    reason: str | None
    started: bool


def start(fleet: Fleet, row: Row) -> Rotating:
    """Order one. Raises ProvisioningError for a till that can't, or that others are changing."""
    try:
        made = orders.order(fleet.table, fleet.shadow, row.thing, by=fleet.by)
    except (orders.NotRotatableError, UnsettledError) as error:
        raise ProvisioningError(str(error)) from error
    return Rotating(row.thing, row.stage, made.rotation, "wanted", None, made.new)


def due(fleet: Fleet, stages: Sequence[str]) -> Iterator[Row]:
    """Tills whose certificate expires soon, or is older than fleet.toml's `rotate_after_days`."""
    rule = dues.Rule(after=fleet.settings.fleet.rotate_after_days)
    for thing in dues.due(fleet.table, stages, rule, datetime.now(UTC)):
        row = fleet.registry.get(thing)
        if row is not None:
            yield row


def start_due(fleet: Fleet, stages: Sequence[str]) -> Iterator[Rotating]:
    """Order one for every till that is due, as long as it is provisioned."""
    for row in due(fleet, stages):
        try:
            yield start(fleet, row)
        except ProvisioningError as error:
            fleet.report(f"left out: {error}")  # revoked, replaced or changed since the page was read


def follow(
    fleet: Fleet,
    started: Sequence[Rotating],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Rotating]:
    """How they are when all are over, or after `seconds`; a request per page of a stage, not per till."""
    now = {one.thing: one for one in started}
    deadline = time.monotonic() + seconds
    while True:
        for row in _rows(fleet, started):
            if row.thing in now:
                _hear(fleet, now, row)
        if all(one.state in OVER for one in now.values()) or time.monotonic() >= deadline:
            return list(now.values())
        sleep(POLL_SECONDS)


def _rows(fleet: Fleet, started: Sequence[Rotating]) -> Iterator[Row]:
    if len(started) == 1:
        yield fleet.till(started[0].thing)
        return
    for stage in sorted({one.stage for one in started}):
        yield from fleet.registry.in_stage(stage)


def _hear(fleet: Fleet, now: dict[str, Rotating], row: Row) -> None:
    known, told = now[row.thing], row.rotation or {}
    if told.get("id") != known.rotation:
        return  # overtaken by another, or by a replacement of the till
    state, reason = str(told.get("state")), _text(told, "reason")
    if state != known.state:
        fleet.report(f"{row.thing}: {state}{f' ({reason})' if reason else ''}")
    now[row.thing] = Rotating(row.thing, row.stage, known.rotation, state, reason, known.started)


def _text(told: Mapping[str, Any], key: str) -> str | None:
    value = told.get(key)
    return None if value is None else str(value)
