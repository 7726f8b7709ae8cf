"""A till's assignment, as sync writes it down for pos."""

from typing import Any

STORE = "ST-367"


def assignment(thing: str = "greentill-X", **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "thing": thing,
        "store": STORE,
        "store_name": "Main Street",
        "terminals": ["T1", "T2"],
        "currency": "USD",
        "currency_exponent": 2,
        "time_zone": "America/New_York",
        "day_starts": "04:00",
        "prices_include_tax": True,
        "locale": "en-US",
        **changes,
    }
