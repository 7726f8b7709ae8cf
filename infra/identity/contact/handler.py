"""Called when a till connects: the first time with a certificate of its own closes its claim."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

# A nucleus with many subscriptions connects again as <thing>#2.
CLIENT = re.compile(r"(?P<thing>[^#]+)(#\d+)?")


def handle(event: Mapping[str, Any], _context: object) -> None:
    client = CLIENT.fullmatch(str(event.get("clientId", "")))
    certificate = event.get("principalIdentifier")
    if client and certificate:
        table = boto3.resource("dynamodb").Table(os.environ["REGISTRY_TABLE"])
        close_claim(table, client["thing"], str(certificate), datetime.now(UTC))


def close_claim(table: Any, thing: str, certificate_id: str, now: datetime) -> bool:
    """Mark the till as provisioned; False when there was nothing to close.

    A claim's own connection carries the claim's certificate, which isn't among the till's, so it closes
    nothing.
    """
    try:
        table.update_item(
            Key={"thing": thing},
            UpdateExpression="SET #state = :provisioned, provisioned_at = :now",
            ConditionExpression="#state = :pending AND contains(certificate_ids, :certificate)",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":provisioned": "provisioned",
                ":pending": "pending",
                ":certificate": certificate_id,
                ":now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
