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
            " REMOVE earlier_certificate_ids, claim_state, current_certificate_id",
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

    def reopen(self, row: Row, claim: str, expires_at: int, because: Because) -> None:
        """A new claim for the same till; its earlier certificates work until the new card first connects."""
        self._update(
            row,
            f"SET #state = :pending, {STAMPED}, claim_certificate_id = :claim, claim_expires_at = :expires,"
            " claim_state = :open, certificate_ids = :none, earlier_certificate_ids = :earlier"
            " REMOVE claim_closed_at, claim_closed_because, #rotation",
            {
                ":pending": "pending",
                ":claim": claim,
                ":expires": expires_at,
                ":open": "open",
                ":none": [],
                ":earlier": [*row.earlier_certificate_ids, *row.certificate_ids],
                **because.values(),
            },
            names={"#rotation": "rotation"},
        )

    def _update(
        self,
        row: Row,
        expression: str,
        values: dict[str, Any],
        *,
        state: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        try:
            self._table.update_item(
                Key={"thing": row.thing},
                UpdateExpression=expression,
                ConditionExpression="#state = :was AND stage = :in AND certificate_ids = :issued",
                ExpressionAttributeNames={**NAMES, **(names or {})},
                ExpressionAttributeValues={
                    **values,
                    ":was": state or row.state,
                    ":in": row.stage,
                    ":issued": list(row.certificate_ids),
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != CONDITION_FAILED:
                raise
            raise ProvisioningError(
                f"{row.thing} was changed by somebody else just now: look at it with greentill till status, "
                "then try again"
            ) from error
