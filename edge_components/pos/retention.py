"""Dropping old records that every consumer has passed, a little at a time; the rest still verifies.

Freed pages are used again, the file does not shrink. What the oldest record follows from is kept in the
table `dropped`. The newest records stay whatever their age, and with them the ids that a terminal may send
again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw

from .clock import Moment
from .ledger import Ledger

CHUNK = 200  # records a transaction: a few megabytes of WAL at most
KEPT = 1_000  # of the newest epoch, which the check at start reads
_PAGE = 500
_PAGES = 40  # looked through at once for a time that can be trusted
_OLDEST = """
SELECT epoch, seq, recorded_at,
    CASE WHEN json_valid(record) THEN json_extract(record, '$.clock_synchronized') END FROM records
WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?
"""
Place = tuple[str, int]


def passed(folder: Path, consumers: Sequence[str]) -> Place | None:
    """What every consumer has passed; None while one of `consumers` has said nothing, or nonsense."""
    places = {}
    for path in folder.glob("*.json"):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            places[path.stem] = (str(found["epoch"]), int(found["seq"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
    return min(places.values()) if places and set(consumers) <= set(places) else None


def before(now: Moment, days: int) -> str:
    """The time up to which records are old, as records spell it."""
    return (now.utc - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def drop(ledger: Ledger, upto: Place, old: str) -> int:
    """Drop at most CHUNK records in the writer's transaction; returns how many, 0 when none is due."""
    connection = ledger.connection
    newest = (ledger.position.epoch, ledger.position.seq - KEPT)
    end = _last_old(connection, min(upto, newest), old)
    if end is None:
        return 0
    due = connection.execute(
        "SELECT epoch, seq, hash FROM records WHERE (epoch, seq) <= (?, ?) ORDER BY epoch, seq LIMIT ?",
        (*end, CHUNK),
    ).fetchall()
    for epoch, seq, last_hash in due:
        connection.execute(
            "INSERT INTO dropped VALUES(?, ?, ?)"
            " ON CONFLICT(epoch) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
            (epoch, seq, last_hash),
        ).fetchall()
    last = due[-1][:2]
    connection.execute("DELETE FROM reversals WHERE (of_epoch, of_seq) <= (?, ?)", last).fetchall()
    connection.execute("DELETE FROM records WHERE (epoch, seq) <= (?, ?)", last).fetchall()
    return len(due)


def _last_old(connection: apsw.Connection, upto: Place, old: str) -> Place | None:
    """The last of the leading records that are old for certain.

    A record made before the clock was set may look old and be new: it counts as its next neighbour with a
    synchronized clock does.
    """
    end = None
    for epoch, seq, recorded_at, synchronized in _oldest(connection):
        if (epoch, seq) > upto or (synchronized and recorded_at >= old):
            break
        if synchronized:
            end = (epoch, seq)
    return end


def _oldest(connection: apsw.Connection) -> Iterator[tuple[str, int, str, int]]:
    place: Place = ("", 0)
    for _ in range(_PAGES):
        page: list[Any] = connection.execute(_OLDEST, (*place, _PAGE)).fetchall()
        if not page:
            return
        yield from page
        place = page[-1][:2]
