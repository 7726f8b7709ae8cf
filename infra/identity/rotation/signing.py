"""The cloud's part in a rotation: sign what the till asks for, retire what it no longer needs.

A till speaks for itself only, through its own shadow, and gets a certificate only for a rotation that its
row names. Every step may be repeated: events come twice, late, and after half a failure. Others (revoke,
replace, decommission, a second call for the same till) may change the row between any two steps, so the
row is changed before what follows from it, and who has given rights looks at the row again afterwards.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.certificates import GONE, Retirement
from infra.identity.rotation.issuing import Issuing, UnsignableError, while_under_way
from infra.identity.rotation.orders import stamp
from infra.identity.rotation.shadow import UNDER_WAY, Shadow
from infra.identity.rows import update_row
from infra.names import Names

REASON_CHARACTERS = 300

Row = Mapping[str, Any]


class Signing:
    """`table` is the registry as a boto3 resource; `iot` and `data` are clients."""

    def __init__(self, table: Any, iot: Any, data: Any, names: Names) -> None:
        self._table = table
        self._iot = iot
        self._names = names
        self._retirement = Retirement(iot, names)
        self._shadow = Shadow(table, iot, data)
        self._issuing = Issuing(table, iot, self._retirement)

    def heard(self, thing: str, told: Mapping[str, Any]) -> str:
        """Act on what the till reported; says what was done."""
        outcome = self._act(thing, told)
        self._shadow.settle(thing)
        return outcome

    def mend(self, thing: str) -> str:
        """Finish what calls have left that did not live to their end; the till's last word is heard again."""
        if (rotation := self._row(thing).get("rotation")) and rotation["state"] not in UNDER_WAY:
            self._end_loser(thing, rotation["id"])
        return self.heard(thing, self._shadow.reported(thing))

    def _act(self, thing: str, told: Mapping[str, Any]) -> str:
        row = self._row(thing)
        order = row.get("rotation")
        if row.get("state") != "provisioned" or not order or order["id"] != told.get("rotation"):
            return "ignored"
        if order["state"] not in UNDER_WAY:
            self._end_loser(thing, order["id"])
            return "over already"
        match told.get("state"):
            case "requested":
                return self._sign(row, str(told.get("csr") or ""))
            case "swapped" if (named := order.get("certificate_id")) and named == told.get("certificate_id"):
                return self._finish(row)
            case "failed":
                return self._give_up(row, str(told.get("reason") or "the till gave no reason"))
        return "ignored"

    def _sign(self, row: Row, csr: str) -> str:
        if (noted := row["rotation"].get("certificate_id")) is not None:
            return self._give_rights(row, noted)
        if not csr:
            return "ignored"  # the answer to a request that was heard twice
        if "claim_state" in row:
            return "too early"  # who ends the claim would end this certificate, too; the till asks again
        try:
            issued = self._issuing.issue(row, csr)
        except UnsignableError as error:
            return self._give_up(row, f"the till's request can't be signed: {error}")
        return "signed by another call" if issued is None else self._give_rights(row, issued)

    def _give_rights(self, row: Row, certificate_id: str) -> str:
        """Unless somebody takes the certificate away meanwhile, who then has the last word."""
        refused = self._equip(row["thing"], certificate_id)
        if not self._stands(row["thing"], certificate_id):
            self._retirement.till(certificate_id, row["thing"])
            return "overtaken"
        if refused is None:
            return "signed"
        if self._validity(certificate_id) is None:
            return self._give_up(row, "its new certificate was deleted")
        raise refused

    def _equip(self, thing: str, certificate_id: str) -> ClientError | None:
        """Rights and thing first: an active certificate without them would be nobody's.

        What AWS IoT says where one of the three is gone.
        """
        arn = self._names.arn("iot", f"cert/{certificate_id}")
        try:
            self._iot.attach_policy(policyName=self._names.core_policy, target=arn)
            self._iot.attach_thing_principal(
                thingName=thing, principal=arn, thingPrincipalType="EXCLUSIVE_THING"
            )
            self._iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE")
        except ClientError as error:
            if error.response["Error"]["Code"] != GONE:
                raise
            return error
        return None

    def _stands(self, thing: str, certificate_id: str) -> bool:
        """Whether the till may have it: who takes it away changes the row first, and then ends it.

        After `till replace` the old card keeps what it has until the new one connects.
        """
        row = self._row(thing)
        if row.get("state") not in ("provisioned", "pending"):
            return False
        named = (*row.get("certificate_ids", []), *row.get("earlier_certificate_ids", []))
        return certificate_id in named and _loser(row) != certificate_id

    def _finish(self, row: Row) -> str:
        """The till speaks with the new certificate: all others end, and only then the row says so."""
        certificate_id = row["rotation"]["certificate_id"]
        validity = self._validity(certificate_id)
        if validity is None:
            return "overtaken"
        gone = [one for one in row.get("certificate_ids", []) if one != certificate_id]
        for other in gone:
            self._retirement.till(other, row["thing"])
        while_under_way(
            self._table,
            row,
            "SET #rotation.#state = :over, certificate_ids = :these, current_certificate_id = :certificate,"
            " certificate_made_at = :made, certificate_expires_at = :expires, retired_certificate_ids"
            " = list_append(if_not_exists(retired_certificate_ids, :none), :gone)",
            {
                ":over": "swapped",
                ":certificate": certificate_id,
                ":these": [certificate_id],
                ":made": stamp(validity["notBefore"]),
                ":expires": stamp(validity["notAfter"]),
                ":none": [],
                ":gone": gone,
            },
        )
        return "swapped"

    def _give_up(self, row: Row, reason: str) -> str:
        """The row says so first: a call that is about to give the certificate its rights sees it there.

        The reason is the till's word, and is shown on people's terminals: no control characters.
        """
        shown = "".join(character if character.isprintable() else " " for character in reason)
        while_under_way(
            self._table,
            row,
            "SET #rotation.#state = :over, #rotation.reason = :reason",
            {":over": "failed", ":reason": shown[:REASON_CHARACTERS]},
        )
        self._end_loser(row["thing"], row["rotation"]["id"])
        return "failed"

    def _end_loser(self, thing: str, rotation: str) -> None:
        """The new certificate of a rotation that failed ends, then the row forgets it."""
        while (loser := _loser(row := self._row(thing))) and row["rotation"]["id"] == rotation:
            if loser not in row.get("certificate_ids", []):
                return
            self._retirement.till(loser, thing)
            self._forget(row, loser)

    def _forget(self, row: Row, loser: str) -> None:
        """Unless the row has changed meanwhile: then it is looked at again."""
        issued = list(row["certificate_ids"])
        update_row(
            self._table,
            row["thing"],
            UpdateExpression="SET certificate_ids = :left, retired_certificate_ids"
            " = list_append(if_not_exists(retired_certificate_ids, :none), :gone)",
            ConditionExpression="#state = :was AND certificate_ids = :issued",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":left": [one for one in issued if one != loser],
                ":gone": [loser],
                ":none": [],
                ":was": row["state"],
                ":issued": issued,
            },
        )

    def _row(self, thing: str) -> dict[str, Any]:
        found = self._table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item")
        return dict(found or {})

    def _validity(self, certificate_id: str) -> Mapping[str, datetime] | None:
        """From when to when it holds; None when it is gone."""
        try:
            answer = self._iot.describe_certificate(certificateId=certificate_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != GONE:
                raise
            return None
        validity: Mapping[str, datetime] = answer["certificateDescription"]["validity"]
        return validity


def _loser(row: Row) -> str | None:
    """The certificate of a rotation that failed, unless the till is known to be connected with it."""
    order = row.get("rotation") or {}
    certificate_id: str | None = order.get("certificate_id") if order.get("state") == "failed" else None
    return None if certificate_id == row.get("connected_certificate") else certificate_id
