"""Epochs: a new one opens whenever numbers could otherwise repeat."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

_RANDOM_BITS = 20
_LETTERS = (
    "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing on a receipt reads as something else
)
_SERIES_LENGTH = 6
_HASH = re.compile(r"[0-9a-f]{64}")
_EPOCH = re.compile(r"[0-9a-f]{16}")
_LAST = "f" * 11  # the milliseconds after which there is no room for another epoch


def new_epoch(wall_nanoseconds: int, after: str | None) -> str:
    """64 bits in hexadecimal: milliseconds since 1970, then random bits; always above `after`.

    The random bits keep two restores of one card image apart; `after` keeps order when the clock is behind.
    """
    low = secrets.randbits(_RANDOM_BITS)
    milliseconds = max(0, wall_nanoseconds // 1_000_000)
    if after is not None:
        milliseconds = max(milliseconds, (int(after, 16) >> _RANDOM_BITS) + 1)
    return f"{milliseconds << _RANDOM_BITS | low:016x}"


def is_epoch(found: Any) -> bool:
    """Whether this is an epoch's name, and another one can still come after it."""
    return isinstance(found, str) and bool(_EPOCH.fullmatch(found)) and found < _LAST


def is_place(found: Any) -> bool:
    """Whether this names a record: its epoch, seq and hash, as far as can be told without having it."""
    if not isinstance(found, dict) or not is_epoch(found.get("epoch")):
        return False
    seq, hash_ = found.get("seq"), found.get("hash")
    return type(seq) is int and seq > 0 and isinstance(hash_, str) and bool(_HASH.fullmatch(hash_))


def series(epoch: str) -> str:
    """The receipt series of an epoch: receipts of a till never repeat, though each series counts from 1."""
    number = int.from_bytes(hashlib.sha256(epoch.encode()).digest()[:8], "big")
    letters = []
    for _ in range(_SERIES_LENGTH):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "".join(letters)
