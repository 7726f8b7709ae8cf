"""Called for what a till says in its shadow `certificate`, and once a day to order what is due."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from infra.identity.rotation.due import Rule, due
from infra.identity.rotation.mending import mend
from infra.identity.rotation.orders import NotRotatableError, order
from infra.identity.rotation.shadow import Shadow, UnsettledError
from infra.identity.rotation.signing import Signing
from infra.identity.troubles import Troubles
from infra.names import Names

PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 8})
RESERVE_SECONDS = 30
WATCH = "expiry watch"


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """A rule's event names a thing, taken from the topic; anything else is the daily call."""
    names = Names(os.environ["FLEET"], os.environ["ACCOUNT"], os.environ["AWS_REGION"])
    table = boto3.resource("dynamodb", config=PATIENT).Table(os.environ["REGISTRY_TABLE"])
    iot, data = boto3.client("iot", config=PATIENT), boto3.client("iot-data", config=PATIENT)
    signing = Signing(table, iot, data, names)
    outcome = _heard(event, signing) if "thing" in event else _every_day(table, iot, data, signing, context)
    print(json.dumps(outcome))  # noqa: T201 - a function's log is its standard output
    return outcome


def _heard(event: Mapping[str, Any], signing: Signing) -> dict[str, Any]:
    told = event.get("reported")
    told = told if isinstance(told, Mapping) else {}
    outcome = signing.heard(str(event["thing"]), told)
    return {"thing": event["thing"], "rotation": told.get("rotation"), "outcome": outcome}


def _every_day(table: Any, iot: Any, data: Any, signing: Signing, context: Any) -> dict[str, Any]:
    """Until the time is over: tomorrow goes on where today ended, since nothing of it repeats itself."""
    stages, now = os.environ["STAGES"].split(","), datetime.now(UTC)

    def time_is_left() -> bool:
        return bool(context.get_remaining_time_in_millis() >= RESERVE_SECONDS * 1000)

    after = os.environ.get("ROTATE_AFTER_DAYS")
    things = due(table, stages, Rule(after=int(after) if after else None), now)
    troubles = Troubles(UnsettledError)
    ordered = _watch(table, Shadow(table, iot, data), things, time_is_left, troubles)
    mended = mend(table, iot, signing, stages=stages, now=now, go_on=time_is_left, troubles=troubles)
    outcome = {"outcome": "ordered", "rotations": ordered, **mended}
    troubles.tell(json.dumps(outcome))
    return outcome


def _watch(
    table: Any, shadow: Shadow, things: Iterable[str], go_on: Callable[[], bool], troubles: Troubles
) -> int:
    ordered = 0
    for thing in things:
        if not go_on():
            break
        with troubles.about(thing):
            ordered += _order(table, shadow, thing)
    return ordered


def _order(table: Any, shadow: Shadow, thing: str) -> bool:
    try:
        return order(table, shadow, thing, by=WATCH).new
    except NotRotatableError:
        return False  # its state has changed since the page was read
