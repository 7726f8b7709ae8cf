"""Called every hour: ends claims that have expired, and what a first contact left of its own."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from infra.identity.certificates import Retirement, keep_only
from infra.identity.groups import NoGroupError, settle_by_row
from infra.identity.rows import update_row
from infra.identity.troubles import Troubles
from infra.names import Names

PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 10})
RESERVE_SECONDS = 30
BY_CLAIM = "by-claim"


def handle(_event: object, context: Any) -> None:
    names = Names(os.environ["FLEET"], os.environ["ACCOUNT"], os.environ["AWS_REGION"])
    table = boto3.resource("dynamodb", config=PATIENT).Table(os.environ["REGISTRY_TABLE"])
    iot = boto3.client("iot", config=PATIENT)
    retirement = Retirement(iot, names)
    troubles = Troubles(NoGroupError)
    now = datetime.now(UTC)
    ended = 0
    for claim in overdue(table, int(time.time())):
        if context.get_remaining_time_in_millis() < RESERVE_SECONDS * 1000:
            break  # the next hour goes on from here
        with troubles.about(claim["thing"]):
            if claim["claim_state"] == "used":
                settle_by_row(iot, names, table, claim["thing"])
                ended += _finish(table, retirement, claim)
            else:
                ended += _expire(table, retirement, claim, now)
    outcome = json.dumps({"outcome": "ended", "claims": ended})
    troubles.tell(outcome)
    print(outcome)  # noqa: T201 - a function's log is its standard output


def overdue(table: Any, now: int) -> Iterator[Mapping[str, Any]]:
    """What the index holds of claims to end: all closed ones, and others whose time is over at `now`.

    The index holds no claim that has ended, so a look at it costs what there is to do, not what there was.
    """
    yield from _query(table, "used", None)
    for state in ("open", "making"):
        yield from _query(table, state, now)


def _query(table: Any, state: str, expired_at: int | None) -> Iterator[Mapping[str, Any]]:
    condition = "claim_state = :state"
    values: dict[str, Any] = {":state": state}
    if expired_at is not None:
        condition = f"{condition} AND claim_expires_at <= :now"
        values[":now"] = expired_at
    query: dict[str, Any] = {
        "IndexName": BY_CLAIM,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }
    while True:
        page = table.query(**query)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _finish(table: Any, retirement: Retirement, claim: Mapping[str, Any]) -> bool:
    """What a first contact has begun; False when someone else has finished it by now."""
    row = table.get_item(Key={"thing": claim["thing"]}, ConsistentRead=True).get("Item", {})
    if row.get("claim_state") != "used":
        return False
    return keep_only(table, retirement, row, row["current_certificate_id"])


def _expire(table: Any, retirement: Retirement, claim: Mapping[str, Any], now: datetime) -> bool:
    """End an expired claim; False when the row has another one, or its till has come, by now."""
    retirement.claim(claim["claim_certificate_id"])
    return update_row(
        table,
        claim["thing"],
        UpdateExpression="SET claim_closed_because = :expired, claim_closed_at = :now REMOVE claim_state",
        ConditionExpression="claim_certificate_id = :claim AND claim_state = :state",
        ExpressionAttributeValues={
            ":expired": "expired",
            ":now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            ":claim": claim["claim_certificate_id"],
            ":state": claim["claim_state"],
        },
    )
