"""Changes of a till's row, each conditional on what was read, so that two people's changes don't mix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.registry import CONDITION_FAILED, Row
from infra.names import Names

NAMES = {"#state": "state"}


@dataclass(frozen=True)
class Because:
    """Who changed a till's state, and why; both are kept in its row."""

    reason: str
    by: str

    def values(self) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {":reason": self.reason, ":by": self.by, ":now": now}


STAMPED = "state_reason = :reason, state_changed_at = :now, state_changed_by = :by"


class Changes:
    """Writes to the registry; ProvisioningError when the row has changed since it was read."""

    def __init__(self, session: Any, names: Names) -> None:
        self._table = session.resource("dynamodb").Table(names.registry_table)

    def close(self, row: Row, state: str, because: Because) -> None:
        """Nothing may provision or rotate from here on; repeating it keeps the first reason."""
        if row.state == state:
            return
        self._update(
            row,
            f"SET #state = :state, {STAMPED}",
            {":state": state, **because.values()},
        )

    def forget_certificates(self, row: Row, state: str, gone: Sequence[str]) -> None:
        """Note what is retired, in a row that `close` has closed."""
        self._update(
            row,
            "SET certificate_ids = :none, claim_closed_because = :why, retired_certificate_ids"
            " = list_append(if_not_exists(retired_certificate_ids, :none), :gone)"
            " REMOVE earlier_certificate_ids, claim_state, current_certificate_id, loose_claim_ids",
            {":none": [], ":gone": list(gone), ":why": "revoked"},
            state=state,
        )

    def note_certificates(self, row: Row, found: Sequence[str]) -> None:
        """What is attached to the thing and not in the row, before it is detached and nobody's."""
        self._update(row, "SET certificate_ids = :found", {":found": list(found)})

    def move(self, row: Row, to: Mapping[str, Any]) -> None:
        """Set `store`, `stage`, `terminals` and `assignment`."""
        self._update(
            row,
            "SET #store = :store, stage = :stage, terminals = :terminals, assignment = :assignment",
            {f":{key}": value for key, value in to.items()},
            names={"#store": "store"},
        )

    def prepare(self, row: Row, claim: str) -> None:
        """Note a claim that is being made, so that whoever comes next ends it when this run is cut off."""
        self._update(
            row,
            "SET loose_claim_ids = list_append(if_not_exists(loose_claim_ids, :none), :this)",
            {":none": [], ":this": [claim]},
        )

    def reopen(self, row: Row, claim: str, expires_at: int, because: Because) -> None:
        """A new claim for the same till; its earlier certificates work until the new card first connects.

        The claim it had is loose from here on. Where `claim` isn't among the loose ones any more, another run
        took this one for cut off and has ended it.
        """
        self._update(
            row,
            f"SET #state = :pending, {STAMPED}, claim_certificate_id = :claim, claim_expires_at = :expires,"
            " claim_state = :open, certificate_ids = :none, earlier_certificate_ids = :earlier,"
            " loose_claim_ids = :loose REMOVE claim_closed_at, claim_closed_because, #rotation",
            {
                ":pending": "pending",
                ":claim": claim,
                ":expires": expires_at,
                ":open": "open",
                ":none": [],
                **({":had": row.claim_certificate_id} if row.claim_certificate_id else {}),
                ":earlier": [*row.earlier_certificate_ids, *row.certificate_ids],
                ":loose": [row.claim_certificate_id] if row.claim_certificate_id else [],
                **because.values(),
            },
            names={"#rotation": "rotation"},
            also="contains(loose_claim_ids, :claim)"
            + (" AND claim_certificate_id = :had" if row.claim_certificate_id else ""),
        )

    def forget_loose_claims(self, row: Row) -> None:
        """They are ended; ProvisioningError when others have come to them, which are not."""
        self._conditionally(
            row.thing,
            UpdateExpression="REMOVE loose_claim_ids",
            ConditionExpression="loose_claim_ids = :ended",
            ExpressionAttributeValues={":ended": list(row.loose_claim_ids)},
        )

    def _update(
        self,
        row: Row,
        expression: str,
        values: dict[str, Any],
        *,
        state: str | None = None,
        names: Mapping[str, str] | None = None,
        also: str | None = None,
    ) -> None:
        """`also` is one more condition, whose values are among `values`."""
        condition = "#state = :was AND stage = :in AND certificate_ids = :issued"
        self._conditionally(
            row.thing,
            UpdateExpression=expression,
            ConditionExpression=f"{condition} AND {also}" if also else condition,
            ExpressionAttributeNames={**NAMES, **(names or {})},
            ExpressionAttributeValues={
                **values,
                ":was": state or row.state,
                ":in": row.stage,
                ":issued": list(row.certificate_ids),
            },
        )

    def _conditionally(self, thing: str, **update: Any) -> None:
        try:
            self._table.update_item(Key={"thing": thing}, **update)
        except ClientError as error:
            if error.response["Error"]["Code"] != CONDITION_FAILED:
                raise
            raise ProvisioningError(
                f"{thing} was changed by somebody else just now: look at it with greentill till status, "
                "then try again"
            ) from error


def loose_claims(row: Row) -> list[str]:
    """Every claim that the till has, or that was begun for it."""
    had = (row.claim_certificate_id,) if row.claim_certificate_id else ()
    return list(dict.fromkeys((*row.loose_claim_ids, *had)))
