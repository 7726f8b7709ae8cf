"""What tills said last of their delivery: their head items in the sales table, a hundred to a request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fleet_provisioning.registry import Row
from infra.names import Names

MOST_KEYS = 100  # BatchGetItem takes no more
HEAD = "head"
MOST_CHARACTERS = 64  # a version; times and epochs are shorter


@dataclass(frozen=True)
class Reported:
    """`at` (ISO 8601, UTC) is when the till said it; `backlog` in records, `oldest_at` the first of them."""

    epoch: str | None
    seq: int | None
    at: str | None
    backlog: int | None
    oldest_at: str | None
    version: str | None


def reports(session: Any, names: Names, things: Sequence[str]) -> dict[str, Reported]:
    """By thing; a till that never delivered anything is absent."""
    dynamodb = session.resource("dynamodb")
    return {
        item["pk"]: _reported(item)
        for start in range(0, len(things), MOST_KEYS)
        for item in _items(dynamodb, names.sales_table, things[start : start + MOST_KEYS])
    }


def loss(row: Row, report: Reported | None) -> str | None:
    """What would be lost with the till, as far as the cloud can know; None when nothing would."""
    if row.provisioned_at is None:
        return None
    if report is None or report.backlog is None:
        heard = f" up to epoch {report.epoch} seq {report.seq}" if report else " nothing"
        return f"{row.thing} has not said what it has left to deliver; the cloud has{heard}"
    if report.backlog:
        since = f", the oldest from {report.oldest_at}" if report.oldest_at else ""
        return f"{row.thing} said at {report.at} that {report.backlog} records are not delivered{since}"
    if row.disconnected_at and not row.connected and report.at and row.disconnected_at >= report.at:
        return (
            f"{row.thing} had delivered everything at {report.at} but was connected until "
            f"{row.disconnected_at}, and what it has sold since then is not known"
        )
    return None


def _items(dynamodb: Any, table: str, things: Sequence[str]) -> Iterator[dict[str, Any]]:
    wanted: dict[str, Any] = {table: {"Keys": [{"pk": thing, "sk": HEAD} for thing in things]}}
    while wanted:
        answer = dynamodb.batch_get_item(RequestItems=wanted)
        yield from answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys") or {}


def _reported(item: dict[str, Any]) -> Reported:
    """A till writes its own item: what isn't of the right kind is not said, and costs no other till."""
    return Reported(
        epoch=_text(item.get("epoch")),
        seq=_whole(item.get("seq")),
        at=_text(item.get("reported_at")),
        backlog=_whole(item.get("backlog")),
        oldest_at=_text(item.get("oldest_at")),
        version=_text(item.get("version")),
    )


def _text(value: Any) -> str | None:
    """Short and printable, as it is shown on terminals."""
    usable = isinstance(value, str) and value.isprintable() and len(value) <= MOST_CHARACTERS
    return value if usable else None


def _whole(value: Any) -> int | None:
    usable = isinstance(value, Decimal) and value == value.to_integral_value() and value >= 0
    return int(value) if usable else None
