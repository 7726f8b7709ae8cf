"""Changes of a till's row, each conditional on what was read, so that two people's changes don't mix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet_provisioning.errors import ChangedError
from fleet_provisioning.registry import Row
from infra.identity.certificates import close_loose_claims, forget_closed_claims
from infra.identity.rows import update_row
from infra.names import Names

NAMES = {"#state": "state"}
ISSUED = "certificate_ids = :issued"


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
    """Writes to the registry; ChangedError when what a change is about isn't as it was read any more."""

    def __init__(self, session: Any, names: Names) -> None:
        self._table = session.resource("dynamodb").Table(names.registry_table)

    def close(self, row: Row, state: str, because: Because) -> None:
        """Nothing may provision or rotate from here on; repeating it keeps the first reason."""
        if row.state == state:
            return
        self._update(row, f"SET #state = :state, {STAMPED}", {":state": state, **because.values()})

    def forget_certificates(self, row: Row, state: str, gone: Sequence[str]) -> None:
        """Note what is retired, in a row that `close` has closed."""
        self._update(
            row,
            "SET certificate_ids = :none, claim_closed_because = :why, retired_certificate_ids"
            " = list_append(if_not_exists(retired_certificate_ids, :none), :gone)"
            " REMOVE earlier_certificate_ids, claim_state, current_certificate_id, closing_claim_ids,"
            " loose_claim_ids",
            {":none": [], ":gone": list(gone), ":why": "revoked", **_issued(row)},
            state=state,
            also=f"{ISSUED} AND (attribute_not_exists(loose_claim_ids) OR loose_claim_ids = :none)",
        )

    def note_certificates(self, row: Row, found: Sequence[str]) -> None:
        """What is attached to the thing and not in the row, before it is detached and nobody's."""
        self._update(
            row, "SET certificate_ids = :found", {":found": list(found), **_issued(row)}, also=ISSUED
        )

    def move(self, row: Row, to: Mapping[str, Any]) -> None:
        """Set `store`, `stage`, `terminals` and `assignment`."""
        self._update(
            row,
            "SET #store = :store, stage = :stage, terminals = :terminals, assignment = :assignment",
            {
                **{f":{key}": value for key, value in to.items()},
                ":was_store": row.store,
                ":was_terminals": list(row.terminals),
            },
            names={"#store": "store"},
            also="#store = :was_store AND terminals = :was_terminals",
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
                **_issued(row),
            },
            names={"#rotation": "rotation"},
            also=f"{ISSUED} AND contains(loose_claim_ids, :claim)"
            + (" AND claim_certificate_id = :had" if row.claim_certificate_id else ""),
        )

    def close_loose_claims(self, row: Row) -> list[str]:
        """Every claim that nobody may open any more and that is to be ended next."""
        closing = close_loose_claims(self._table, row.item(), state=row.state)
        if closing is None:
            raise _changed(row.thing)
        return closing

    def forget_closed_claims(self, row: Row, ended: list[str]) -> None:
        """They are ended."""
        if not forget_closed_claims(self._table, row.thing, ended):
            raise _changed(row.thing)

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
        condition = "#state = :was AND stage = :in"
        if not update_row(
            self._table,
            row.thing,
            UpdateExpression=expression,
            ConditionExpression=f"{condition} AND {also}" if also else condition,
            ExpressionAttributeNames={**NAMES, **(names or {})},
            ExpressionAttributeValues={**values, ":was": state or row.state, ":in": row.stage},
        ):
            raise _changed(row.thing)


def _issued(row: Row) -> dict[str, Any]:
    """The value of the condition ISSUED: no certificate has come or gone since the row was read."""
    return {":issued": list(row.certificate_ids)}


def _changed(thing: str) -> ChangedError:
    return ChangedError(
        f"{thing} was changed by somebody else just now: look at it with greentill till status, then try "
        "again"
    )
