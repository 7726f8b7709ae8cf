"""One certificate for one rotation, however many calls make one at once and wherever they end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.identity.certificates import Retirement
from infra.identity.rotation.due import moment
from infra.identity.rotation.keys import key_of_request
from infra.identity.rotation.orders import stamp
from infra.identity.rotation.shadow import UNDER_WAY
from infra.identity.rotation.unrecorded import unrecorded
from infra.identity.rows import update_row

BAD_REQUESTS = frozenset({"InvalidRequestException", "CertificateValidationException"})
# A till keeps one key for a rotation; another that asks with ever new ones would fill its row.
MOST_KEYS = 20

Row = Mapping[str, Any]


class UnsignableError(Exception):
    """What the till sent can't be made a certificate of."""


class Issuing:
    """`table` is the registry as a boto3 resource, `iot` a client."""

    def __init__(self, table: Any, iot: Any, retirement: Retirement) -> None:
        self._table = table
        self._iot = iot
        self._retirement = retirement

    def issue(self, row: Row, csr: str) -> str | None:
        """An inactive certificate that the row names; None where it names another by now.

        Raises UnsignableError. One that an earlier call made, and did not live to note, is found again by
        its key.
        """
        try:
            key = key_of_request(csr)
        except ValueError as error:
            raise UnsignableError(f"it is no signing request ({error})") from error
        left: list[str] = []
        if begun := _begun(row, key):
            left = [one for one, _made in unrecorded(self._iot, frozenset({key}), begun)]
        elif not self._begin(row, key):
            return None
        issued = left[0] if left else self._create(csr)
        kept = issued if self._note(row, issued) else self._noted(row)
        for other in {issued, *left} - {kept}:
            self._retirement.till(other, row["thing"])
        return kept if kept == issued else None

    def _begin(self, row: Row, key: str) -> bool:
        """Name the key before anything is made for it."""
        if len(row.get("signing_keys", [])) >= MOST_KEYS:
            raise UnsignableError(f"the till has asked with {MOST_KEYS} keys already: it may again tomorrow")
        entry = {"key": key, "since": stamp(datetime.now(UTC)), "rotation": row["rotation"]["id"]}
        return while_under_way(
            self._table,
            row,
            "SET signing_keys = list_append(if_not_exists(signing_keys, :none), :this)",
            {":none": [], ":this": [entry]},
        )

    def _create(self, csr: str) -> str:
        try:
            made = self._iot.create_certificate_from_csr(certificateSigningRequest=csr, setAsActive=False)
        except ClientError as error:
            if error.response["Error"]["Code"] not in BAD_REQUESTS:
                raise
            raise UnsignableError(str(error)) from error
        return str(made["certificateId"])

    def _note(self, row: Row, certificate_id: str) -> bool:
        """From here on every revocation knows the certificate; False when there is another already."""
        return while_under_way(
            self._table,
            row,
            "SET #rotation.certificate_id = :certificate, #rotation.#state = :signed,"
            " certificate_ids = list_append(if_not_exists(certificate_ids, :none), :these)",
            {":certificate": certificate_id, ":signed": "signed", ":none": [], ":these": [certificate_id]},
            " AND attribute_not_exists(#rotation.certificate_id)",
        )

    def _noted(self, row: Row) -> str | None:
        """The certificate that the row names for this rotation by now."""
        found = self._table.get_item(Key={"thing": row["thing"]}, ConsistentRead=True).get("Item") or {}
        there = found.get("rotation") or {}
        return there.get("certificate_id") if there.get("id") == row["rotation"]["id"] else None


def while_under_way(
    table: Any, row: Row, expression: str, values: Mapping[str, Any], condition: str = ""
) -> bool:
    """Change the row while its rotation is under way in it; False when it isn't any more."""
    return update_row(
        table,
        row["thing"],
        UpdateExpression=expression,
        ConditionExpression="#state = :provisioned AND #rotation.id = :id"
        " AND #rotation.#state IN (:first, :second)" + condition,
        ExpressionAttributeNames={"#rotation": "rotation", "#state": "state"},
        ExpressionAttributeValues={
            **values,
            ":provisioned": "provisioned",
            ":id": row["rotation"]["id"],
            ":first": UNDER_WAY[0],
            ":second": UNDER_WAY[1],
        },
    )


def _begun(row: Row, key: str) -> datetime | None:
    """When the first call began to sign for this key, if one has."""
    begun = [moment(str(entry["since"])) for entry in row.get("signing_keys", []) if entry["key"] == key]
    return min(begun, default=None)
