"""The end of certificates that AWS IoT made for one till: claims that are closed, and what was replaced."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.names import Names

GONE = "ResourceNotFoundException"


class Retirement:
    """Takes certificates out of use for good. Safe to repeat: what is done already is no error."""

    def __init__(self, iot: Any, names: Names) -> None:
        self._iot = iot
        self._names = names

    def claim(self, certificate_id: str) -> None:
        """End a claim's certificate. Raises ClientError when AWS IoT refuses."""
        self._end(certificate_id, policy=self._names.claim_policy, thing=None)

    def till(self, certificate_id: str, thing: str) -> None:
        """End one of a till's own certificates. Raises ClientError when AWS IoT refuses."""
        self._end(certificate_id, policy=self._names.core_policy, thing=thing)

    def _end(self, certificate_id: str, *, policy: str, thing: str | None) -> None:
        """Deactivated first, so that its owner is off at once; AWS IoT deletes only what nothing holds."""
        arn = self._names.arn("iot", f"cert/{certificate_id}")
        _unless_gone(lambda: self._iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE"))
        _unless_gone(lambda: self._iot.detach_policy(policyName=policy, target=arn))
        if thing:
            _unless_gone(lambda: self._iot.detach_thing_principal(thingName=thing, principal=arn))
        _unless_gone(lambda: self._iot.delete_certificate(certificateId=certificate_id))


def _unless_gone(step: Callable[[], Any]) -> None:
    try:
        step()
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise


def keep_only(table: Any, retirement: Retirement, row: Mapping[str, Any], certificate_id: str) -> bool:
    """End the row's claim and every certificate but `certificate_id`, then note that they are gone.

    False when the row has changed meanwhile: someone else was here, or the next hour's look goes on with
    it. Raises ClientError when a certificate can't be ended.
    """
    issued = list(row["certificate_ids"])
    gone = [one for one in (*issued, *row.get("earlier_certificate_ids", [])) if one != certificate_id]
    for other in gone:
        retirement.till(other, row["thing"])
    claim = row.get("claim_certificate_id")
    for ended in (*row.get("loose_claim_ids", []), *([claim] if claim else [])):
        retirement.claim(ended)
        gone.append(ended)
    try:
        table.update_item(
            Key={"thing": row["thing"]},
            UpdateExpression="SET certificate_ids = :this,"
            " retired_certificate_ids = list_append(if_not_exists(retired_certificate_ids, :none), :gone)"
            " REMOVE earlier_certificate_ids, claim_state, loose_claim_ids",
            ConditionExpression="claim_state = :used AND certificate_ids = :issued",
            ExpressionAttributeValues={
                ":this": [certificate_id],
                ":none": [],
                ":gone": gone,
                ":used": "used",
                ":issued": issued,
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
