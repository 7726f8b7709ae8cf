"""The groups of a till's thing: its stage's, or none.

A deployment runs once on each member of its group, and who is in two stages would have to run both releases.
The row says which stage; whoever has changed it settles the groups after that, and looks again until the two
agree, since others may do the same at once.
"""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.certificates import GONE, unless_gone
from infra.names import Names

PAUSES_SECONDS = (0, 0, 0, 0.2, 0.5, 1, 2)  # AWS IoT's lists of things and groups may lag behind
Step = Callable[[Callable[[], Any]], bool]


class NoGroupError(Exception):
    """The stage's group doesn't exist: its text is the group's name."""


def stage_of(state: str, stage: str) -> str | None:
    """The stage in whose group a till with such a row belongs; None where it is to be in none.

    One that is to provision joins its group by that: joining anew gives a new card the stage's deployment.
    One that is revoked can't hear of a deployment.
    """
    return stage if state == "provisioned" else None


def settle_groups(
    iot: Any, names: Names, thing: str, stage: Callable[[], str | None], step: Step
) -> list[str]:
    """Groups that were left or joined, `-` or `+` before each; `stage` reads the row for `stage_of`.

    `step` makes one call to AWS IoT, with the caller's patience: False where what it is about is gone. Raises
    NoGroupError.
    """
    changed: list[str] = []
    for pause in PAUSES_SECONDS:
        time.sleep(pause)
        wanted = stage()
        there = _groups(iot, names, thing)
        if there is None:
            return changed
        at_home = {names.stage_group(wanted), names.canary_group(wanted)} if wanted else set()
        leave = sorted(there - at_home)
        join = [names.stage_group(wanted)] if wanted and not there & at_home else []
        if not (leave or join):
            return changed
        # Out of the old before into the new.
        for group in leave:
            step(lambda one=group: iot.remove_thing_from_thing_group(thingGroupName=one, thingName=thing))  # type: ignore[misc]
            changed.append(f"-{group}")
        for group in join:
            if not step(lambda one=group: iot.add_thing_to_thing_group(thingGroupName=one, thingName=thing)):  # type: ignore[misc]
                _complain(iot, thing, group)
                continue  # it is the thing that is gone: the next look sees that
            changed.append(f"+{group}")
    return changed


def settle_by_row(iot: Any, names: Names, table: Any, thing: str) -> None:
    """Do so by the till's row, without patience; `table` is the registry as a boto3 resource."""

    def stage() -> str | None:
        row = table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item")
        return stage_of(str(row["state"]), str(row["stage"])) if row else None

    settle_groups(iot, names, thing, stage, unless_gone)


def _complain(iot: Any, thing: str, group: str) -> None:
    if unless_gone(lambda: iot.describe_thing(thingName=thing)):
        raise NoGroupError(group)


def _groups(iot: Any, names: Names, thing: str) -> set[str] | None:
    """Those of the fleet; None where there is no such thing."""
    try:
        pages = iot.get_paginator("list_thing_groups_for_thing").paginate(thingName=thing)
        found = {group["groupName"] for page in pages for group in page["thingGroups"]}
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise
        return None
    return {group for group in found if group.startswith(names.prefix)}
