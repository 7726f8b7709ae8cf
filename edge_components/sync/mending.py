"""Rows of the ledger that a card has changed: a column is only a copy of what the record says.

No hash covers a column. One that can be no date, time or hash is taken from the record, so that nothing waits
behind it; a record that can't be read either is refused for its content.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime

from edge_components.edgekit.ledger import Row
from edge_components.sync.errors import UnusableRecordError

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HASH = re.compile(r"[0-9a-f]{64}")


def mended(row: Row) -> Row:
    """The row as a key can be made of it. Raises UnusableRecordError for one of which none can."""
    if _has_key(row) and recorded(row) is not None:
        return row
    try:
        record = json.loads(row.record)
        found = replace(
            row,
            business_date=record["business_date"],
            recorded_at=record["recorded_at"],
            hash=record["hash"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableRecordError(f"epoch {row.epoch} seq {row.seq} is no record: {error!r}") from error
    if not _has_key(found):
        raise UnusableRecordError(f"epoch {row.epoch} seq {row.seq} has no date or no hash")
    return found


def recorded(row: Row) -> datetime | None:
    """When a record was made, by the till's clock; None where nobody can read it."""
    try:
        return datetime.fromisoformat(row.recorded_at)
    except (ValueError, TypeError):
        return None


def _has_key(row: Row) -> bool:
    if not isinstance(row.business_date, str) or not isinstance(row.hash, str):
        return False
    return bool(_DATE.fullmatch(row.business_date) and _HASH.fullmatch(row.hash))
