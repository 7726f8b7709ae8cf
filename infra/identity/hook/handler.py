"""The pre-provisioning hook: admits a serial when the registry expects it with this very claim.

AWS IoT calls it for every request to provision and waits 5 s; whatever it doesn't allow is refused. What
it gets: https://docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html
"""

import json
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SERIAL = re.compile(r"[A-Za-z0-9]{4,32}")
PARAMETERS = {"SerialNumber", "AWS::IoT::Certificate::Id"}
REFUSED: dict[str, Any] = {"allowProvisioning": False}

# Each try makes a certificate: a till that can't keep one, or a copied kit, has to end somewhere.
MOST_TRIES = 50

# A slow answer is a refused one, so there is time for one more try and no longer wait.
FAST = Config(connect_timeout=1, read_timeout=1.5, retries={"total_max_attempts": 2})


class RefusedError(Exception):
    """Why this request to provision is not admitted."""


def handle(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    table = boto3.resource("dynamodb", config=FAST).Table(os.environ["REGISTRY_TABLE"])
    parameters = event.get("parameters", {})
    thing = f"{os.environ['FLEET']}-{parameters.get('SerialNumber', '')}"
    try:
        row = admitted_row(table, thing, event, now=int(time.time()))
    except RefusedError as refusal:
        _log("refused", thing, event, reason=str(refusal))
        _note_refusal(table, thing, event, str(refusal))
        return REFUSED
    _log("admitted", thing, event, stage=row["stage"])
    return {
        "allowProvisioning": True,
        "parameterOverrides": {
            "StageGroup": f"{os.environ['FLEET']}-{row['stage']}",
            "Store": row["store"],
        },
    }


def admitted_row(table: Any, thing: str, event: Mapping[str, Any], *, now: int) -> Mapping[str, Any]:
    """The till's row, with the new certificate noted in it; RefusedError with the reason otherwise.

    A second try with the same claim is admitted until the till has been heard from: a till may lose power
    between the answer and its disk.
    """
    _check_request(event)
    row: Mapping[str, Any] | None = table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item")
    if row is None:
        raise RefusedError("no kit was made for this serial")
    if row.get("state") != "pending":
        raise RefusedError(f"the till is {row.get('state')}, not pending")
    if row.get("claim_certificate_id") != event["claimCertificateId"]:
        raise RefusedError("the claim belongs to another kit")
    if int(row.get("claim_expires_at", 0)) <= now:
        raise RefusedError("the claim has expired")
    if len(row.get("certificate_ids", [])) >= MOST_TRIES:
        raise RefusedError(f"the kit was used {MOST_TRIES} times and its till was never heard from")
    _note_certificate(table, row, event)
    return row


def _check_request(event: Mapping[str, Any]) -> None:
    parameters = event.get("parameters", {})
    if unexpected := sorted(set(parameters) - PARAMETERS):
        raise RefusedError(f"a device may give its serial only, not {', '.join(unexpected)}")
    if not SERIAL.fullmatch(str(parameters.get("SerialNumber", ""))):
        raise RefusedError("the serial has a wrong form")
    if not event.get("claimCertificateId"):
        raise RefusedError("the request did not come with a claim")


def _note_certificate(table: Any, row: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """Remember the certificate, unless what is answered from the row has changed since it was read."""
    try:
        table.update_item(
            Key={"thing": row["thing"]},
            UpdateExpression="SET certificate_ids ="
            " list_append(if_not_exists(certificate_ids, :none), :this)",
            ConditionExpression="#state = :pending AND claim_certificate_id = :claim"
            " AND stage = :stage AND #store = :store",
            ExpressionAttributeNames={"#state": "state", "#store": "store"},
            ExpressionAttributeValues={
                ":none": [],
                ":this": [event["certificateId"]],
                ":pending": "pending",
                ":claim": event["claimCertificateId"],
                ":stage": row["stage"],
                ":store": row["store"],
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise RefusedError("the till's row changed while it was being admitted") from error


def _note_refusal(table: Any, thing: str, event: Mapping[str, Any], reason: str) -> None:
    """Only rows that exist hear of it: a stolen claim must not be able to fill the table."""
    if not SERIAL.fullmatch(str(event.get("parameters", {}).get("SerialNumber", ""))):
        return  # no till has it, and DynamoDB refuses some texts as a key
    try:
        table.update_item(
            Key={"thing": thing},
            UpdateExpression="SET last_refusal = :refusal ADD refusals :one",
            ConditionExpression="attribute_exists(thing)",
            ExpressionAttributeValues={
                ":one": 1,
                ":refusal": {
                    "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "reason": reason,
                    "claim_certificate_id": event.get("claimCertificateId"),
                },
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def _log(outcome: str, thing: str, event: Mapping[str, Any], **more: str) -> None:
    document = {
        "outcome": outcome,
        "thing": thing,
        "claim_certificate_id": event.get("claimCertificateId"),
        "certificate_id": event.get("certificateId"),
        "client_id": event.get("clientId"),
        **more,
    }
    print(json.dumps(document))  # noqa: T201 - a function's log is its standard output
