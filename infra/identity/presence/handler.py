"""Called when a till connects or disconnects: its row says which, since when, and with what certificate.

Presence events come late, twice and out of order:
https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

CONNECTED = "connected"
# A client that was gone for an hour counts from 0 again; nothing is delivered this late.
RESET_MILLISECONDS = 1_800_000


def handle(event: Mapping[str, Any], _context: object) -> None:
    table = boto3.resource("dynamodb").Table(os.environ["REGISTRY_TABLE"])
    row = note(table, event)
    if row and event["eventType"] == CONNECTED and _unknown(row):
        note_certificate(table, boto3.client("iot"), row)


def note(table: Any, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row as it was changed; None for a stranger, and for an event that a later one has overtaken.

    Both events of a connection carry its number: a disconnect ends its own connection, never a newer one.
    The very event that the row has already gives the row again: what failed after it is done then.
    """
    connected = event["eventType"] == CONNECTED
    version, moment = int(event.get("versionNumber", 0)), int(event["timestamp"])
    at = datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    when, certificate = (
        ("connected_at", ", connected_certificate = :certificate")
        if connected
        else (
            "disconnected_at",
            "",
        )
    )
    values = {
        ":connected": connected,
        ":at": at,
        ":version": version,
        ":moment": moment,
        ":reset": moment - RESET_MILLISECONDS,
    }
    if connected:
        values[":certificate"] = str(event.get("principalIdentifier", ""))
    try:
        answer = table.update_item(
            Key={"thing": event["clientId"]},
            UpdateExpression=f"SET connected = :connected, {when} = :at, presence_version = :version,"
            f" presence_ms = :moment{certificate}",
            ConditionExpression="attribute_exists(thing) AND (attribute_not_exists(presence_version)"
            f" OR presence_version {'<' if connected else '<='} :version OR presence_ms < :reset"
            " OR (presence_version = :version AND presence_ms = :moment AND connected = :connected))",
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return None
    row: Mapping[str, Any] = answer["Attributes"]
    return row


def note_certificate(table: Any, iot: Any, row: Mapping[str, Any]) -> None:
    """When the certificate was made and when it expires, which AWS IoT alone knows."""
    certificate = str(row["connected_certificate"])
    described = iot.describe_certificate(certificateId=certificate)["certificateDescription"]
    made, expires = (
        described["validity"][key].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for key in ("notBefore", "notAfter")
    )
    table.update_item(
        Key={"thing": row["thing"]},
        UpdateExpression="SET certificate_made_at = :made, certificate_expires_at = :expires,"
        " dated_certificate = :certificate",
        ConditionExpression="connected_certificate = :certificate",
        ExpressionAttributeValues={":made": made, ":expires": expires, ":certificate": certificate},
    )


def _unknown(row: Mapping[str, Any]) -> bool:
    """One of the till's own, whose dates aren't those in the row: a claim's are of no interest."""
    certificate = row.get("connected_certificate")
    return certificate in row.get("certificate_ids", []) and certificate != row.get("dated_certificate")
