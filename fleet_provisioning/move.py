"""Moves a till to another store, stage or set of terminals.

The row comes first: from it the till learns its store, and provisioning its group. Every run looks at what
is there and does what is left, so that an interrupted one is finished by repeating it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fleet_provisioning.assignment import assignment
from fleet_provisioning.changes import Changes
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.registry import Row
from infra.cleanup.sweep.attempt import until_done
from infra.errors import near_miss
from infra.names import TERMINAL

CARD_IN_USE = ("pending", "provisioned")


@dataclass(frozen=True)
class Destination:
    """What stays as it is is None."""

    store: str | None = None
    stage: str | None = None
    terminals: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Moved:
    """Where the till is now; `changed` names what this run did."""

    thing: str
    store: str
    stage: str
    terminals: tuple[str, ...]
    changed: tuple[str, ...]


def move(fleet: Fleet, row: Row, to: Destination) -> Moved:
    """Raises ProvisioningError for a destination that fleet.toml doesn't have."""
    check(fleet, row, to)
    store, stage = to.store or row.store, to.stage or row.stage
    terminals = to.terminals or row.terminals
    told = assignment(row.thing, fleet.settings.stores[store], terminals)
    changed = []
    if (store, stage, terminals) != (row.store, row.stage, row.terminals) or told != dict(row.assignment):
        values = {"store": store, "stage": stage, "terminals": list(terminals), "assignment": told}
        Changes(fleet.session, fleet.names).move(row, values)
        fleet.report("the registry knows: the till hears of it at its next look, within minutes")
        changed.append("registry")
    changed += _move_thing(fleet, row.thing, store, stage)
    return Moved(row.thing, store, stage, terminals, tuple(changed))


def check(fleet: Fleet, row: Row, to: Destination) -> None:
    """Raise ProvisioningError for what can't be."""
    for what, value, known in (
        ("store", to.store or row.store, fleet.settings.stores),
        ("stage", to.stage or row.stage, fleet.settings.stages),
    ):
        if value not in known:
            raise ProvisioningError(
                f"{what} {value!r} isn't in fleet.toml{near_miss(value, known)}; "
                f"there is: {', '.join(sorted(known))}"
            )
    terminals = to.terminals or row.terminals
    if len(set(terminals)) < len(terminals) or not all(map(TERMINAL.fullmatch, terminals)):
        raise ProvisioningError(f"terminals {','.join(terminals)!r}: give each once, such as T1,T2")
    _check_nucleus(fleet, row, to.stage or row.stage)


def _check_nucleus(fleet: Fleet, row: Row, stage: str) -> None:
    there = fleet.settings.stages.get(row.stage)
    wanted = fleet.settings.stages[stage].nucleus
    if row.state in CARD_IN_USE and there is not None and there.nucleus != wanted:
        raise ProvisioningError(
            f"{row.thing}'s card is for the {there.nucleus} nucleus and {stage} has the {wanted} one: "
            "take it out with greentill till decommission, move it, then make a kit with till replace"
        )


def _move_thing(fleet: Fleet, thing: str, store: str, stage: str) -> Iterator[str]:
    """Attributes and groups of a till that has provisioned; one that hasn't gets them then."""
    iot = fleet.iot
    try:
        attributes = iot.describe_thing(thingName=thing).get("attributes", {})
    except iot.exceptions.ResourceNotFoundException:
        return
    if attributes.get("store") != store:
        payload = {"attributes": {"store": store}, "merge": True}
        until_done(lambda: iot.update_thing(thingName=thing, attributePayload=payload))
        yield "attributes"
    pages = iot.get_paginator("list_thing_groups_for_thing").paginate(thingName=thing)
    groups = {group["groupName"] for page in pages for group in page["thingGroups"]}
    target = fleet.names.stage_group(stage)
    leave = sorted(group for group in groups if _of_another_stage(fleet, group, stage))
    join = [] if target in groups or fleet.names.canary_group(stage) in groups else [target]
    if not (leave or join):
        return
    # Out of the old before into the new: in two stages at once, a till would have to run both releases.
    for group in leave:
        until_done(
            lambda one=group: iot.remove_thing_from_thing_group(thingGroupName=one, thingName=thing)  # type: ignore[misc]
        )
        fleet.report(f"left {group}")
    for group in join:
        if not until_done(lambda: iot.add_thing_to_thing_group(thingGroupName=target, thingName=thing)):
            raise ProvisioningError(
                f"there is no group {target}: deploy the Identity stack, then repeat this"
            )
        fleet.report(f"joined {group}: its deployment follows when the till is online")
    yield "groups"


def leave_groups(fleet: Fleet, thing: str) -> None:
    """Out of every group of the fleet, where the thing exists."""
    iot = fleet.iot
    try:
        pages = list(iot.get_paginator("list_thing_groups_for_thing").paginate(thingName=thing))
    except iot.exceptions.ResourceNotFoundException:
        return
    for name in (group["groupName"] for page in pages for group in page["thingGroups"]):
        if name.startswith(fleet.names.prefix):
            until_done(
                lambda one=name: iot.remove_thing_from_thing_group(thingGroupName=one, thingName=thing)  # type: ignore[misc]
            )


def _of_another_stage(fleet: Fleet, group: str, stage: str) -> bool:
    """Whether the group is this fleet's, and neither the stage's nor its canaries'."""
    names = fleet.names
    return group.startswith(names.prefix) and group not in (
        names.stage_group(stage),
        names.canary_group(stage),
    )
