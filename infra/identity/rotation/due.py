"""Which tills need a new certificate: it expires soon, or is older than fleet.toml allows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

BEFORE_DAYS = 30  # time for a till that is switched off for a month's holidays


@dataclass(frozen=True)
class Rule:
    """In days. `after` None: age alone is no reason."""

    before: int = BEFORE_DAYS
    after: int | None = None

    def due(self, row: Mapping[str, Any], now: datetime) -> bool:
        """Whether a row's certificate is; one whose dates aren't known yet isn't."""
        expires, made = _moment(row, "certificate_expires_at"), _moment(row, "certificate_made_at")
        if expires is not None and expires - now < timedelta(days=self.before):
            return True
        return self.after is not None and made is not None and now - made > timedelta(days=self.after)


def due(table: Any, stages: Sequence[str], rule: Rule, now: datetime) -> Iterator[str]:
    """Things of provisioned tills that are due, stage by stage, a page of the registry at a time."""
    rows = in_stages(
        table, stages, "#state = :provisioned", {"#state": "state"}, {":provisioned": "provisioned"}
    )
    return (row["thing"] for row in rows if rule.due(row, now))


def in_stages(
    table: Any,
    stages: Sequence[str],
    condition: str,
    names: Mapping[str, str],
    values: Mapping[str, Any] | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Rows of which `condition` holds, a request per page of 1 MB."""
    for stage in stages:
        query: dict[str, Any] = {
            "IndexName": "by-stage",
            "KeyConditionExpression": "stage = :stage",
            "FilterExpression": condition,
            "ExpressionAttributeNames": dict(names),
            "ExpressionAttributeValues": {":stage": stage, **(values or {})},
        }
        while True:
            page = table.query(**query)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                break
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def moment(text: str) -> datetime:
    """A time as the registry has it. Raises ValueError for any other text."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _moment(row: Mapping[str, Any], key: str) -> datetime | None:
    text = row.get(key)
    return moment(text) if text else None
