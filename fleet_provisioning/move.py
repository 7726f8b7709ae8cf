"""Moves a till to another store, stage or set of terminals.

The row comes first: from it the till learns its store, and provisioning its group. Every run looks at what
is there and does what is left, so that an interrupted one is finished by repeating it, and of two at once
the one that changed the row last has the last word about the thing.
"""

from dataclasses import dataclass

from fleet_provisioning.again import MOST_TRIES
from fleet_provisioning.assignment import assignment
from fleet_provisioning.changes import Changes
from fleet_provisioning.errors import ChangedError, ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.registry import Row
from infra.cleanup.sweep.attempt import until_done
from infra.errors import near_miss
from infra.identity.groups import NoGroupError, settle_groups, stage_of
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
    changed += settle_thing(fleet, row.thing)
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


def settle_thing(fleet: Fleet, thing: str) -> list[str]:
    """Attributes and groups as the row has them, of a thing that exists; which of the two were changed."""
    changed = ["attributes"] if _settle_attributes(fleet, thing) else []
    try:
        groups = settle_groups(fleet.iot, fleet.names, thing, lambda: _stage(fleet, thing), until_done)
    except NoGroupError as error:
        raise ProvisioningError(
            f"there is no group {error}: deploy the Identity stack, then repeat this"
        ) from error
    for group in groups:
        left = group.startswith("-")
        fleet.report(
            f"left {group[1:]}"
            if left
            else f"joined {group[1:]}: its deployment follows when the till is online"
        )
    return [*changed, "groups"] if groups else changed


def _stage(fleet: Fleet, thing: str) -> str | None:
    row = fleet.till(thing)
    return stage_of(row.state, row.stage)


def _settle_attributes(fleet: Fleet, thing: str) -> bool:
    """Until the thing's store is the row's, as another move may be under way; False when it was."""
    iot, changed = fleet.iot, False
    for _ in range(MOST_TRIES):
        store = fleet.till(thing).store
        try:
            attributes = iot.describe_thing(thingName=thing).get("attributes", {})
        except iot.exceptions.ResourceNotFoundException:
            return changed
        if attributes.get("store") == store:
            return changed
        payload = {"attributes": {"store": store}, "merge": True}
        until_done(lambda told=payload: iot.update_thing(thingName=thing, attributePayload=told))  # type: ignore[misc]
        changed = True
    raise ChangedError(f"{thing} is being moved by others again and again: repeat this when they are done")
