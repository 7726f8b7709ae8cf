"""Once a day: what calls that were cut off have left behind, of rotations and of certificates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from infra.identity.rotation.due import in_stages, moment
from infra.identity.rotation.shadow import UNDER_WAY
from infra.identity.rotation.signing import Signing
from infra.identity.rotation.unrecorded import OLD, end_unrecorded
from infra.identity.rows import update_row
from infra.identity.troubles import Troubles

Row = Mapping[str, Any]


def mend(
    table: Any,
    iot: Any,
    signing: Signing,
    *,
    stages: Sequence[str],
    now: datetime,
    go_on: Callable[[], bool],
    troubles: Troubles,
) -> dict[str, int]:
    """While `go_on` says so; how many rotations were looked at, and certificates ended.

    What the keys of a till in trouble were used for is looked at another day.
    """
    looked = 0
    old: list[tuple[Row, list[Mapping[str, Any]]]] = []
    for row in _left_behind(table, stages):
        if not go_on():
            break
        with troubles.about(row["thing"]):
            if _unfinished(row):
                signing.mend(row["thing"])
                looked += 1
            if entries := _old_entries(row, now):
                old.append((row, entries))
    ended = end_unrecorded(iot, [entry for _row, entries in old for entry in entries], now)
    for row, entries in old:
        _forget(table, row, entries)
    return {"mended": looked, "ended": ended}


def _left_behind(table: Any, stages: Sequence[str]) -> Iterator[Row]:
    yield from in_stages(
        table,
        stages,
        "attribute_exists(signing_keys) OR attribute_exists(#rotation)",
        {"#rotation": "rotation"},
    )


def _unfinished(row: Row) -> bool:
    order = row.get("rotation") or {}
    left = order.get("state") == "failed" and order.get("certificate_id") in row.get("certificate_ids", [])
    return row.get("state") == "provisioned" and (order.get("state") in UNDER_WAY or left)


def _old_entries(row: Row, now: datetime) -> list[Mapping[str, Any]]:
    return [one for one in row.get("signing_keys", []) if now - moment(str(one["since"])) >= OLD]


def _forget(table: Any, row: Row, looked_for: Sequence[Mapping[str, Any]]) -> None:
    """Tomorrow again where the till has asked with another key meanwhile."""
    had = list(row["signing_keys"])
    left = [one for one in had if one not in looked_for]
    update_row(
        table,
        row["thing"],
        UpdateExpression="SET signing_keys = :left" if left else "REMOVE signing_keys",
        ConditionExpression="signing_keys = :had",
        ExpressionAttributeValues={":had": had, **({":left": left} if left else {})},
    )
