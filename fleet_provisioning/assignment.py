"""What a till is told about itself (docs/interfaces.md, `assignment.json`)."""

from collections.abc import Sequence
from typing import Any

from infra.settings import Store

VERSION = 1


def assignment(thing: str, store: Store, terminals: Sequence[str]) -> dict[str, Any]:
    """The map that goes into the registry row and from there to the till; plain JSON values."""
    return {
        "version": VERSION,
        "thing": thing,
        "store": store.id,
        "store_name": store.name,
        "terminals": list(terminals),
        "currency": store.currency,
        "currency_exponent": store.currency_exponent,
        "time_zone": store.time_zone,
        "day_starts": store.day_starts,
        "prices_include_tax": store.prices_include_tax,
        "locale": store.locale,
    }
