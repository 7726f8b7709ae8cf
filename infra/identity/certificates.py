"""The end of certificates that AWS IoT made for one till: claims that are closed, and what was replaced."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.rows import update_row
from infra.names import Names

GONE = "ResourceNotFoundException"
# Active or attached again: somebody was just giving it rights, or AWS IoT hasn't yet noted that it lost them.
HELD = frozenset({"CertificateStateException", "DeleteConflictException"})
WAITS_SECONDS = (0.2, 0.5, 1.0, 2.0)


class Retirement:
    """Takes certificates out of use for good. Safe to repeat: what is done already is no error."""

    def __init__(self, iot: Any, names: Names, sleep: Callable[[float], None] = time.sleep) -> None:
        self._iot = iot
        self._names = names
        self._sleep = sleep

    def claim(self, certificate_id: str) -> None:
        """End a claim's certificate. Raises ClientError when AWS IoT refuses."""
        self._end(certificate_id, policy=self._names.claim_policy, thing=None)

    def till(self, certificate_id: str, thing: str) -> None:
        """End one of a till's own certificates. Raises ClientError when AWS IoT refuses."""
        self._end(certificate_id, policy=self._names.core_policy, thing=thing)

    def _end(self, certificate_id: str, *, policy: str, thing: str | None) -> None:
        """From the beginning again while something holds it: who equips it stops when it is gone."""
        for wait in (*WAITS_SECONDS, None):
            try:
                self._try_to_end(certificate_id, policy, thing)
            except ClientError as error:
                if wait is None or error.response["Error"]["Code"] not in HELD:
                    raise
                self._sleep(wait)
            else:
                return

    def _try_to_end(self, certificate_id: str, policy: str, thing: str | None) -> None:
        """Deactivated first, so that its owner is off at once; AWS IoT deletes only what nothing holds."""
        arn = self._names.arn("iot", f"cert/{certificate_id}")
        unless_gone(lambda: self._iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE"))
        unless_gone(lambda: self._iot.detach_policy(policyName=policy, target=arn))
        if thing:
            unless_gone(lambda: self._iot.detach_thing_principal(thingName=thing, principal=arn))
        unless_gone(lambda: self._iot.delete_certificate(certificateId=certificate_id))


def unless_gone(step: Callable[[], Any]) -> bool:
    """Do what needs no doing where what it is about is gone; False where it was."""
    try:
        step()
    except ClientError as error:
        if error.response["Error"]["Code"] != GONE:
            raise
        return False
    return True


def close_loose_claims(table: Any, row: Mapping[str, Any], *, state: str) -> list[str] | None:
    """Every loose claim of the row, once none of them can be opened any more; to be ended next.

    They are moved before they are ended, since a replacement that is under way opens only what is loose. None
    when the row, read in `state`, has changed.
    """
    loose = list(row.get("loose_claim_ids", []))
    closing = list(row.get("closing_claim_ids", []))
    if not loose:
        return closing
    moved = update_row(
        table,
        row["thing"],
        UpdateExpression="SET closing_claim_ids"
        " = list_append(if_not_exists(closing_claim_ids, :none), :loose) REMOVE loose_claim_ids",
        ConditionExpression="#state = :state AND loose_claim_ids = :loose",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":loose": loose, ":none": [], ":state": state},
    )
    return [*closing, *loose] if moved else None


def forget_closed_claims(table: Any, thing: str, ended: list[str]) -> bool:
    """They are ended; False when others are being ended by now, which are named still."""
    return not ended or update_row(
        table,
        thing,
        UpdateExpression="REMOVE closing_claim_ids",
        ConditionExpression="closing_claim_ids = :ended",
        ExpressionAttributeValues={":ended": ended},
    )


def keep_only(table: Any, retirement: Retirement, row: Mapping[str, Any], certificate_id: str) -> bool:
    """End a provisioned row's claim and every certificate but `certificate_id`, then note that they are gone.

    False when the row has changed meanwhile: someone else was here, or the next hour's look goes on with
    it. Raises ClientError when a certificate can't be ended.
    """
    issued = list(row["certificate_ids"])
    gone = [one for one in (*issued, *row.get("earlier_certificate_ids", [])) if one != certificate_id]
    for other in gone:
        retirement.till(other, row["thing"])
    claim = row.get("claim_certificate_id")
    closing = close_loose_claims(table, row, state="provisioned")
    if closing is None:
        return False
    for ended in (*closing, *([claim] if claim else [])):
        retirement.claim(ended)
        gone.append(ended)
    if not forget_closed_claims(table, row["thing"], closing):
        return False
    return update_row(
        table,
        row["thing"],
        UpdateExpression="SET certificate_ids = :this,"
        " retired_certificate_ids = list_append(if_not_exists(retired_certificate_ids, :none), :gone)"
        " REMOVE earlier_certificate_ids, claim_state",
        ConditionExpression="#state = :provisioned AND claim_state = :used AND certificate_ids = :issued",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":this": [certificate_id],
            ":none": [],
            ":gone": gone,
            ":used": "used",
            ":issued": issued,
            ":provisioned": "provisioned",
        },
    )
