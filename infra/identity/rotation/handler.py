"""Called for what a till says in its shadow `certificate`, and once a day to order what is due."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from infra.identity.rotation.due import Rule, due
from infra.identity.rotation.orders import NotRotatableError, order
from infra.identity.rotation.signing import Signing
from infra.names import Names

PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 8})
RESERVE_SECONDS = 30
WATCH = "expiry watch"


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """A rule's event names a thing, taken from the topic; anything else is the daily call."""
    names = Names(os.environ["FLEET"], os.environ["ACCOUNT"], os.environ["AWS_REGION"])
    table = boto3.resource("dynamodb", config=PATIENT).Table(os.environ["REGISTRY_TABLE"])
    data = boto3.client("iot-data", config=PATIENT)
    if "thing" in event:
        outcome = _heard(event, Signing(table, boto3.client("iot", config=PATIENT), data, names))
    else:
        outcome = _watch(table, data, context)
    print(json.dumps(outcome))  # noqa: T201 - a function's log is its standard output
    return outcome


def _heard(event: Mapping[str, Any], signing: Signing) -> dict[str, Any]:
    told = event.get("reported")
    told = told if isinstance(told, Mapping) else {}
    outcome = signing.heard(str(event["thing"]), told)
    return {"thing": event["thing"], "rotation": told.get("rotation"), "outcome": outcome}


def _watch(table: Any, data: Any, context: Any) -> dict[str, Any]:
    """Order in turn until the time is over: tomorrow goes on where today ended, since orders don't repeat."""
    after = os.environ.get("ROTATE_AFTER_DAYS")
    rule = Rule(after=int(after) if after else None)
    ordered = 0
    for thing in due(table, os.environ["STAGES"].split(","), rule, datetime.now(UTC)):
        if context.get_remaining_time_in_millis() < RESERVE_SECONDS * 1000:
            break
        try:
            ordered += order(table, data, thing, by=WATCH).new
        except NotRotatableError:
            continue  # its state has changed since the page was read
    return {"outcome": "ordered", "rotations": ordered}
