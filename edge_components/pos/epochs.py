"""Epochs: a new one opens whenever numbers could otherwise repeat."""

from __future__ import annotations

import hashlib
import secrets

_RANDOM_BITS = 20
_LETTERS = (
    "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing on a receipt reads as something else
)
_SERIES_LENGTH = 6


def new_epoch(wall_nanoseconds: int, after: str | None) -> str:
    """64 bits in hexadecimal: milliseconds since 1970, then random bits; always above `after`.

    The random bits keep two restores of one card image apart; `after` keeps order when the clock is behind.
    """
    low = secrets.randbits(_RANDOM_BITS)
    milliseconds = max(0, wall_nanoseconds // 1_000_000)
    if after is not None:
        milliseconds = max(milliseconds, (int(after, 16) >> _RANDOM_BITS) + 1)
    return f"{milliseconds << _RANDOM_BITS | low:016x}"


def series(epoch: str) -> str:
    """The receipt series of an epoch: receipts of a till never repeat, though each series counts from 1."""
    number = int.from_bytes(hashlib.sha256(epoch.encode()).digest()[:8], "big")
    letters = []
    for _ in range(_SERIES_LENGTH):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "".join(letters)
