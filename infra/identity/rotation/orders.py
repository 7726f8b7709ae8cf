"""A rotation is ordered in the till's row, then told to the till through its shadow: in this order.

What is interrupted between the two is finished by ordering again. Used by the command line and by the
function that watches expiry.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.identity.rotation.shadow import UNDER_WAY, Shadow
from infra.identity.rows import update_row


class NotRotatableError(Exception):
    """The till is in no state in which it could take a new certificate."""


@dataclass(frozen=True)
class Ordered:
    """`new` is false when one was under way, which then goes on."""

    thing: str
    rotation: str
    new: bool


def order(table: Any, shadow: Shadow, thing: str, *, by: str, now: datetime | None = None) -> Ordered:
    """Have the till take a new certificate. `table` is the registry as a boto3 resource.

    Raises NotRotatableError for a till that isn't provisioned.
    """
    wanted = {
        "id": secrets.token_hex(8),
        "state": "wanted",
        "requested_at": stamp(now or datetime.now(UTC)),
        "requested_by": by,
    }
    ordered = update_row(
        table,
        thing,
        UpdateExpression="SET #rotation = :wanted",
        ConditionExpression="#state = :provisioned"
        " AND (attribute_not_exists(#rotation) OR NOT #rotation.#state IN (:first, :second))",
        ExpressionAttributeNames={"#state": "state", "#rotation": "rotation"},
        ExpressionAttributeValues={
            ":wanted": wanted,
            ":provisioned": "provisioned",
            ":first": UNDER_WAY[0],
            ":second": UNDER_WAY[1],
        },
    )
    if not ordered:
        return _resume(table, shadow, thing)
    shadow.settle(thing)
    return Ordered(thing, wanted["id"], new=True)


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _resume(table: Any, shadow: Shadow, thing: str) -> Ordered:
    row = table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item") or {}
    there = row.get("rotation") or {}
    if row.get("state") != "provisioned" or there.get("state") not in UNDER_WAY:
        raise NotRotatableError(
            f"{thing} is {row.get('state', 'not registered')}: only a provisioned till can rotate"
        )
    shadow.settle(thing)
    return Ordered(thing, str(there["id"]), new=False)
