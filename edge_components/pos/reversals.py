"""What takes back from a sale: finding the sale, and what was taken back already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import apsw

from edge_components.edgekit.record import text_has_hash

from .entries import Scene

_HELD = "SELECT record FROM records WHERE epoch = ? AND seq = ? AND hash = ? AND kind = 'sale'"
_TAKEN = """
SELECT r.record FROM reversals AS v JOIN records AS r ON r.epoch = v.epoch AND r.seq = v.seq
WHERE v.of_epoch = ? AND v.of_seq = ?
"""


def cited_sale(scene: Scene, receipt: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The sale that a receipt names, if it is this till's and its record is here, as it was written.

    What a card has changed, or what took back from it, is as good as gone: nothing can be held against it.
    """
    if receipt is None or receipt["thing"] != scene.assignment.thing:
        return None
    place = (receipt["epoch"], receipt["seq"], receipt["hash"])
    try:
        row = scene.connection.execute(_HELD, place).fetchone()
        sale = as_written(row[0], receipt["hash"]) if row else None
        if sale is not None:
            reversals_of(scene.connection, sale)
    except ValueError:
        return None
    return sale


def as_written(text: str, record_hash: str) -> dict[str, Any] | None:
    """A record, unless the card has changed it. Raises ValueError for what is no JSON any more."""
    found: dict[str, Any] = json.loads(text)
    return found if text_has_hash(text, record_hash) else None


def reversals_of(connection: apsw.Connection, sale: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The bodies of the refunds and voids that a sale has had."""
    rows = connection.execute(_TAKEN, (sale["epoch"], sale["seq"]))
    return [json.loads(text)["body"] for (text,) in rows]


def note(connection: apsw.Connection, of: tuple[str, int], by: Mapping[str, Any]) -> None:
    """Remember which record takes back from a sale."""
    connection.execute("INSERT INTO reversals VALUES(?, ?, ?, ?)", (*of, by["epoch"], by["seq"])).fetchall()
