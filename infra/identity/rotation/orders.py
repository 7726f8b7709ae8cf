"""A rotation is ordered in the till's row, then told to the till through its shadow: in this order.

What is interrupted between the two is finished by ordering again. Used by the command line and by the
function that watches expiry.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

SHADOW = "certificate"
UNDER_WAY = ("wanted", "signed")
CONDITION_FAILED = "ConditionalCheckFailedException"


class NotRotatableError(Exception):
    """The till is in no state in which it could take a new certificate."""


@dataclass(frozen=True)
class Ordered:
    """`new` is false when one was under way, which then goes on."""

    thing: str
    rotation: str
    new: bool


def order(table: Any, data: Any, thing: str, *, by: str, now: datetime | None = None) -> Ordered:
    """Have the till take a new certificate. `table` is the registry, `data` an iot-data client.

    Raises NotRotatableError for a till that isn't provisioned.
    """
    wanted = {
        "id": secrets.token_hex(8),
        "state": "wanted",
        "requested_at": stamp(now or datetime.now(UTC)),
        "requested_by": by,
    }
    try:
        table.update_item(
            Key={"thing": thing},
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
    except ClientError as error:
        if error.response["Error"]["Code"] != CONDITION_FAILED:
            raise
        return _resume(table, data, thing)
    _want(data, thing, wanted["id"])
    return Ordered(thing, wanted["id"], new=True)


def write_shadow(data: Any, thing: str, **sections: Mapping[str, Any]) -> None:
    """Update `desired` or `reported`; None takes a key away."""
    payload = json.dumps({"state": {name: dict(section) for name, section in sections.items()}})
    data.update_thing_shadow(thingName=thing, shadowName=SHADOW, payload=payload.encode())


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _resume(table: Any, data: Any, thing: str) -> Ordered:
    row = table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item") or {}
    there = row.get("rotation") or {}
    if row.get("state") != "provisioned" or there.get("state") not in UNDER_WAY:
        raise NotRotatableError(
            f"{thing} is {row.get('state', 'not registered')}: only a provisioned till can rotate"
        )
    if there["state"] == "wanted":
        _want(data, thing, there["id"])
    return Ordered(thing, str(there["id"]), new=False)


def _want(data: Any, thing: str, rotation: str) -> None:
    desired = {"rotation": rotation, "certificate_id": None, "certificate_pem": None}
    write_shadow(data, thing, desired=desired)
