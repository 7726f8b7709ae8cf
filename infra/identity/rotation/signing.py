"""The cloud's part in a rotation: sign what the till asks for, retire what it no longer needs.

A till speaks for itself only, through its own shadow, and gets a certificate only for a rotation that its
row names. Every step may be repeated: events come twice, late, and after half a failure.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.certificates import Retirement
from infra.identity.rotation.due import moment
from infra.identity.rotation.orders import CONDITION_FAILED, UNDER_WAY, stamp, write_shadow
from infra.identity.rotation.unrecorded import public_key, unrecorded
from infra.names import Names

REASON_CHARACTERS = 300
BAD_REQUESTS = frozenset({"InvalidRequestException", "CertificateValidationException"})
NAMES = {"#rotation": "rotation", "#state": "state"}
NOTHING_WANTED = {"rotation": None, "certificate_id": None, "certificate_pem": None}

Row = Mapping[str, Any]


class UnsignableError(Exception):
    """What the till sent can't be made a certificate of."""


class Signing:
    """`table` is the registry as a boto3 resource; `iot` and `data` are clients."""

    def __init__(self, table: Any, iot: Any, data: Any, names: Names) -> None:
        self._table = table
        self._iot = iot
        self._data = data
        self._names = names
        self._retirement = Retirement(iot, names)

    def heard(self, thing: str, told: Mapping[str, Any]) -> str:
        """Act on what the till reported; says what was done."""
        row = self._row(thing)
        order = row.get("rotation")
        if row.get("state") != "provisioned" or not order or order["id"] != told.get("rotation"):
            return "ignored"
        if order["state"] not in UNDER_WAY:
            self._tidy(thing)
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
        certificate_id = row["rotation"].get("certificate_id")
        if certificate_id is None:
            if not csr:
                return "ignored"  # the answer to a request that was heard twice
            try:
                certificate_id = self._issue(row, csr)
            except UnsignableError as error:
                return self._give_up(row, f"the till's request can't be signed: {error}")
            if certificate_id is None:
                return "signed by another call"
        self._equip(row["thing"], certificate_id)
        described = self._describe(certificate_id)
        desired = {
            "rotation": row["rotation"]["id"],
            "certificate_id": certificate_id,
            "certificate_pem": described["certificatePem"],
        }
        write_shadow(self._data, row["thing"], desired=desired, reported={"csr": None})
        return "signed"

    def _issue(self, row: Row, csr: str) -> str | None:
        """A certificate that the row names; None where it names another by now. Raises UnsignableError.

        One that an earlier call made, and did not live to note, is found again by its key.
        """
        try:
            key = public_key(csr)
        except ValueError as error:
            raise UnsignableError(f"it is no signing request ({error})") from error
        left: list[str] = []
        if begun := row["rotation"].get("signing_since"):
            left = list(unrecorded(self._iot, key, moment(begun)))
        elif not self._update(
            row, "SET #rotation.signing_since = :now", "", {":now": stamp(datetime.now(UTC))}
        ):
            return None
        issued = left[0] if left else self._create(csr)
        kept = issued if self._note(row, issued) else self._noted(row)
        for other in {issued, *left} - {kept}:
            self._retirement.till(other, row["thing"])
        return kept if kept == issued else None

    def _create(self, csr: str) -> str:
        try:
            made = self._iot.create_certificate_from_csr(certificateSigningRequest=csr, setAsActive=False)
        except ClientError as error:
            if error.response["Error"]["Code"] not in BAD_REQUESTS:
                raise
            raise UnsignableError(str(error)) from error
        return str(made["certificateId"])

    def _noted(self, row: Row) -> str | None:
        """The certificate that the row names for this rotation by now."""
        there = self._row(row["thing"]).get("rotation") or {}
        return there.get("certificate_id") if there.get("id") == row["rotation"]["id"] else None

    def _note(self, row: Row, certificate_id: str) -> bool:
        """From here on every revocation knows the certificate; False when there is another already."""
        return self._update(
            row,
            "SET #rotation.certificate_id = :certificate, #rotation.#state = :signed,"
            " certificate_ids = list_append(if_not_exists(certificate_ids, :none), :these)",
            " AND attribute_not_exists(#rotation.certificate_id)",
            {":certificate": certificate_id, ":signed": "signed", ":none": [], ":these": [certificate_id]},
        )

    def _equip(self, thing: str, certificate_id: str) -> None:
        """Rights and thing first: an active certificate without them would be nobody's."""
        arn = self._names.arn("iot", f"cert/{certificate_id}")
        self._iot.attach_policy(policyName=self._names.core_policy, target=arn)
        self._iot.attach_thing_principal(thingName=thing, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
        self._iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE")

    def _finish(self, row: Row) -> str:
        """The till speaks with the new certificate: all others end, and only then the row says so."""
        certificate_id = row["rotation"]["certificate_id"]
        gone = [one for one in row.get("certificate_ids", []) if one != certificate_id]
        for other in gone:
            self._retirement.till(other, row["thing"])
        validity = self._describe(certificate_id)["validity"]
        self._update(
            row,
            "SET #rotation.#state = :over, certificate_ids = :these, current_certificate_id = :certificate,"
            " certificate_made_at = :made, certificate_expires_at = :expires, retired_certificate_ids"
            " = list_append(if_not_exists(retired_certificate_ids, :none), :gone)",
            "",
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
        self._tidy(row["thing"])
        return "swapped"

    def _give_up(self, row: Row, reason: str) -> str:
        """The new certificate ends, unless the till is known to be connected with it.

        The reason is the till's word, and is shown on people's terminals: no control characters.
        """
        certificate_id = row["rotation"].get("certificate_id")
        shown = "".join(character if character.isprintable() else " " for character in reason)
        left = list(row.get("certificate_ids", []))
        if certificate_id and row.get("connected_certificate") != certificate_id:
            self._retirement.till(certificate_id, row["thing"])
            left = [one for one in left if one != certificate_id]
        self._update(
            row,
            "SET #rotation.#state = :over, #rotation.reason = :reason, certificate_ids = :left",
            "",
            {":over": "failed", ":reason": shown[:REASON_CHARACTERS], ":left": left},
        )
        self._tidy(row["thing"])
        return "failed"

    def _tidy(self, thing: str) -> None:
        """Nothing is wanted of the till any more."""
        write_shadow(self._data, thing, desired=NOTHING_WANTED)

    def _row(self, thing: str) -> dict[str, Any]:
        found = self._table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item")
        return dict(found or {})

    def _describe(self, certificate_id: str) -> dict[str, Any]:
        answer = self._iot.describe_certificate(certificateId=certificate_id)
        return dict(answer["certificateDescription"])

    def _update(self, row: Row, expression: str, condition: str, values: dict[str, Any]) -> bool:
        """Change the row while this rotation is under way in it."""
        try:
            self._table.update_item(
                Key={"thing": row["thing"]},
                UpdateExpression=expression,
                ConditionExpression="#state = :provisioned AND #rotation.id = :id"
                " AND #rotation.#state IN (:first, :second)" + condition,
                ExpressionAttributeNames=NAMES,
                ExpressionAttributeValues={
                    **values,
                    ":provisioned": "provisioned",
                    ":id": row["rotation"]["id"],
                    ":first": UNDER_WAY[0],
                    ":second": UNDER_WAY[1],
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != CONDITION_FAILED:
                raise
            return False
        return True
