"""Sweeps when the Cleanup stack is deleted, in as many turns as it takes within CloudFormation's hour."""

import json
import os
import time
from typing import Any

import boto3
from botocore.config import Config

from infra.cleanup.sweep.attempt import Attempts, OutOfTimeError
from infra.cleanup.sweep.sweep import sweep
from infra.custom_resource import Event, answered
from infra.names import Names

PHYSICAL_ID = "swept-fleet"
# CloudFormation gives a custom resource 3,600 s; one more turn of 15 minutes has to end before that.
LAST_TURN_STARTS_BEFORE_SECONDS = 2_600
NAMED_FAILURES = 10

PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 10})


class LeftOverError(Exception):
    """What could not be swept, in a sentence that ends up in the output of cdk destroy."""


def handle(event: Event, context: Any) -> None:
    if event["RequestType"] != "Delete":
        answered(event, PHYSICAL_ID, lambda: None)
        return
    started = float(event.get("SweepStarted", time.time()))
    attempts = Attempts(remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000)
    try:
        outcome = _swept(event, attempts)
    except OutOfTimeError:
        if time.time() - started < LAST_TURN_STARTS_BEFORE_SECONDS:
            _next_turn({**event, "SweepStarted": started}, context)
            return
        outcome = LeftOverError(
            f"The sweep ran out of its hour after {attempts.summary()}: run cdk destroy --all again, "
            "and it goes on from here."
        )
    answered(event, PHYSICAL_ID, lambda: _result(outcome))


def _swept(event: Event, attempts: Attempts) -> Exception | dict[str, str]:
    """What CloudFormation is to be told; OutOfTimeError when there is more to do."""
    properties = event["ResourceProperties"]
    try:
        sweep(
            iot=boto3.client("iot", config=PATIENT),
            data=boto3.client("iot-data", config=PATIENT),
            greengrassv2=boto3.client("greengrassv2", config=PATIENT),
            names=Names(properties["Fleet"], os.environ["ACCOUNT"], os.environ["AWS_REGION"]),
            stages=list(properties["Stages"]),
            attempts=attempts,
        )
    except OutOfTimeError:
        raise
    except Exception as error:  # noqa: BLE001 - it becomes CloudFormation's answer, see answered()
        return error
    print(f"swept {attempts.summary()}")  # noqa: T201 - a function's log is its standard output
    if attempts.failures:
        return LeftOverError(_sentence(attempts))
    return {"Swept": attempts.summary()}


def _result(outcome: Exception | dict[str, str]) -> dict[str, str]:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _next_turn(event: Event, context: Any) -> None:
    """The same event again, in an invocation of its own; CloudFormation keeps waiting for one answer."""
    boto3.client("lambda").invoke(
        FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=json.dumps(event).encode()
    )


def _sentence(attempts: Attempts) -> str:
    named = "; ".join(str(failure) for failure in attempts.failures[:NAMED_FAILURES])
    more = len(attempts.failures) - NAMED_FAILURES
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(attempts.failures)} could not be deleted: {named}{rest}. Run cdk destroy --all again."
