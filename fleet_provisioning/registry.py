"""The registry: a DynamoDB row per till (docs/interfaces.md, "In the cloud")."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from botocore.exceptions import ClientError

from fleet_provisioning.errors import ChangedError, NotDeployedError, ProvisioningError, SerialTakenError
from infra.identity.rows import CONDITION_FAILED, update_row
from infra.names import Names

BY_STAGE = "by-stage"
ABSENT_WHEN_EMPTY = ("earlier_certificate_ids", "loose_claim_ids", "closing_claim_ids")


@dataclass(frozen=True)
class Row:
    """`claim_expires_at` is in epoch seconds; the other times are ISO 8601 in UTC."""

    thing: str
    serial: str
    store: str
    stage: str
    terminals: tuple[str, ...]
    state: str
    assignment: Mapping[str, Any]
    created_at: str
    created_by: str
    claim_certificate_id: str | None = None
    claim_expires_at: int | None = None
    claim_state: str | None = None
    claim_closed_because: str | None = None
    certificate_ids: tuple[str, ...] = field(default=())
    earlier_certificate_ids: tuple[str, ...] = field(default=())
    loose_claim_ids: tuple[str, ...] = field(default=())
    closing_claim_ids: tuple[str, ...] = field(default=())
    provisioned_at: str | None = None
    refusals: int = 0
    state_reason: str | None = None
    state_changed_at: str | None = None
    state_changed_by: str | None = None
    connected: bool | None = None
    connected_at: str | None = None
    disconnected_at: str | None = None
    certificate_expires_at: str | None = None
    certificate_made_at: str | None = None
    rotation: Mapping[str, Any] | None = None

    def item(self) -> dict[str, Any]:
        """As DynamoDB's resource interface takes it; what isn't known yet, or isn't there, is left out."""
        values = {name.name: getattr(self, name.name) for name in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value is not None and (value != () or key not in ABSENT_WHEN_EMPTY)
        }


def row(item: Mapping[str, Any]) -> Row:
    """The row in an item; numbers come back as Decimal, so they are made whole.

    Raises ProvisioningError for an item that nothing of ours has written.
    """
    known = {name.name for name in fields(Row)}
    values = {key: value for key, value in item.items() if key in known}
    try:
        values["terminals"] = tuple(item.get("terminals", ()))
        for key in ("certificate_ids", "earlier_certificate_ids", "loose_claim_ids", "closing_claim_ids"):
            values[key] = tuple(item.get(key, ()))
        values["refusals"] = int(item.get("refusals", 0))
        values["assignment"] = dict(item.get("assignment", {}))
        if item.get("claim_expires_at") is not None:
            values["claim_expires_at"] = int(item["claim_expires_at"])
        return Row(**values)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ProvisioningError(
            f"the registry's row of {item.get('thing')} is not as a till's should be ({error}): mend it in "
            "the table, or remove it if it is of no till"
        ) from error


class Registry:
    """The table of one fleet. Raises NotDeployedError where the table doesn't exist."""

    def __init__(self, session: Any, names: Names) -> None:
        self._names = names
        self._table = session.resource("dynamodb").Table(names.registry_table)

    def register(self, new: Row) -> None:
        """Write a new till's row; SerialTakenError when the serial has one already, whatever its state."""
        try:
            self._table.put_item(Item=new.item(), ConditionExpression="attribute_not_exists(thing)")
        except ClientError as error:
            if error.response["Error"]["Code"] == CONDITION_FAILED:
                raise SerialTakenError(
                    f"serial {new.serial} is registered already: see greentill till status;"
                    f" a new kit for it: greentill till replace {new.serial} --out DIR"
                ) from error
            raise self._explained(error) from error

    def record_claim(self, thing: str, certificate_id: str, expires_at: int) -> None:
        """Bind a claim that is being made to a registered till without one; `expires_at` in epoch seconds.

        Raises ChangedError where the till has been revoked or taken away since it was registered.
        """
        self._while_pending(
            thing,
            "SET claim_certificate_id = :claim, claim_expires_at = :expires, claim_state = :making",
            "attribute_not_exists(claim_certificate_id)",
            {":claim": certificate_id, ":expires": expires_at, ":making": "making"},
        )

    def open_claim(self, thing: str, certificate_id: str) -> None:
        """The claim's kit is whole. Raises ChangedError as `record_claim` does."""
        self._while_pending(
            thing,
            "SET claim_state = :open",
            "claim_certificate_id = :claim AND claim_state = :making",
            {":claim": certificate_id, ":open": "open", ":making": "making"},
        )

    def withdraw(self, new: Row) -> None:
        """Remove a row that `register` wrote, unless a till has provisioned with it since (ClientError)."""
        self._table.delete_item(
            Key={"thing": new.thing},
            ConditionExpression="#state = :pending AND created_at = :made AND size(certificate_ids) = :none",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":pending": "pending", ":made": new.created_at, ":none": 0},
        )

    def get(self, thing: str) -> Row | None:
        """The till's row as it is now."""
        try:
            found = self._table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item")
        except ClientError as error:
            raise self._explained(error) from error
        return None if found is None else row(found)

    def in_stage(self, stage: str) -> Iterator[Row]:
        """The stage's tills in order of their names, a page per request (1 MB each)."""
        query: dict[str, Any] = {
            "IndexName": BY_STAGE,
            "KeyConditionExpression": "stage = :stage",
            "ExpressionAttributeValues": {":stage": stage},
        }
        while True:
            try:
                page = self._table.query(**query)
            except ClientError as error:
                raise self._explained(error) from error
            yield from map(row, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _while_pending(self, thing: str, expression: str, condition: str, values: dict[str, Any]) -> None:
        try:
            changed = update_row(
                self._table,
                thing,
                UpdateExpression=expression,
                ConditionExpression=f"#state = :pending AND {condition}",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={**values, ":pending": "pending"},
            )
        except ClientError as error:
            raise self._explained(error) from error
        if not changed:
            raise ChangedError(
                f"{thing} was changed by somebody else while its kit was made: look at it with "
                "greentill till status"
            )

    def _explained(self, error: ClientError) -> ClientError | NotDeployedError:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            return error
        return NotDeployedError(
            f"there is no table {self._names.registry_table} in {self._names.region}: deploy the Identity "
            f"stack first, with make deploy"
        )
