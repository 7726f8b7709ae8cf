"""Called when a till connects: the first time with a certificate of its own closes its claim.

From then on that certificate is the till's only one: the claim's and all others are retired. A call that
fails half-way is repeated by Lambda, by the till's next connection, or by the function `claims`. A till that
was moved while it provisioned has come into the group of the stage it was in before; it is put right here.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.identity.certificates import Retirement, keep_only
from infra.identity.groups import settle_by_row
from infra.names import Names

# A nucleus with many subscriptions connects again as <thing>#2.
CLIENT = re.compile(r"(?P<thing>[^#]+)(#\d+)?")


def handle(event: Mapping[str, Any], _context: object) -> None:
    client = CLIENT.fullmatch(str(event.get("clientId", "")))
    certificate = event.get("principalIdentifier")
    if client and certificate:
        names = Names(os.environ["FLEET"], os.environ["ACCOUNT"], os.environ["AWS_REGION"])
        table = boto3.resource("dynamodb").Table(os.environ["REGISTRY_TABLE"])
        row = close_claim(table, client["thing"], str(certificate), datetime.now(UTC))
        if row:
            iot = boto3.client("iot")
            settle_by_row(iot, names, table, client["thing"])
            keep_only(table, Retirement(iot, names), row, str(certificate))


def close_claim(table: Any, thing: str, certificate_id: str, now: datetime) -> Mapping[str, Any] | None:
    """Mark the till as provisioned and return its row; None when there was nothing to close.

    A claim's own connection carries the claim's certificate, which isn't among the till's, so it closes
    nothing.
    """
    try:
        answer = table.update_item(
            Key={"thing": thing},
            UpdateExpression="SET #state = :provisioned, provisioned_at = :now,"
            " current_certificate_id = :certificate,"
            " claim_state = :used, claim_closed_at = :now, claim_closed_because = :used",
            ConditionExpression="contains(certificate_ids, :certificate) AND (#state = :pending OR"
            " (#state = :provisioned AND claim_state = :used AND current_certificate_id = :certificate))",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":provisioned": "provisioned",
                ":pending": "pending",
                ":used": "used",
                ":certificate": certificate_id,
                ":now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return None
    row: Mapping[str, Any] = answer["Attributes"]
    return row
