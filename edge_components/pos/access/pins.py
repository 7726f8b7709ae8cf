"""PINs: hashed with Argon2id, one at a time, so that memory stays bounded however many sign in."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from .errors import AccessRefusedError

MEMORY_KIB = 19 * 1024  # with t=2, p=1: what OWASP's password storage cheat sheet asks of Argon2id at least
_TIME_COST = 2
_MOST_TIME_COST = 4
_WAITING = 16
_PIN = re.compile(r"[0-9]{4,12}")
# A PIN that nobody has: an unknown cashier costs as much time as a known one.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class PinError(ValueError):
    """A PIN or a hash that cannot be used; the message says why."""


class Pins:
    """Makes and checks PIN hashes."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_TIME_COST, memory_cost=MEMORY_KIB, parallelism=1)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pins")
        self._waiting = 0

    def hash(self, pin: str) -> str:
        """The hash to keep of a PIN of 4 to 12 digits."""
        if not _PIN.fullmatch(pin):
            raise PinError("a PIN has 4 to 12 digits")
        return self._hasher.hash(pin)

    async def matches(self, pin_hash: str | None, pin: str) -> bool:
        """Whether this is the PIN; takes as long for a cashier that nobody knows (None)."""
        if self._waiting >= _WAITING:
            raise AccessRefusedError(429, "busy", "too many sign in at once; try again", retry_after=1)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, self._check, pin_hash or _NOBODY, pin)
        finally:
            self._waiting -= 1

    def _check(self, pin_hash: str, pin: str) -> bool:
        try:
            return self._hasher.verify(pin_hash, pin)
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)


def check_hash(pin_hash: str) -> str:
    """The hash, if it is one that a till can afford to check; raises PinError."""
    try:
        parameters = extract_parameters(pin_hash)
    except (InvalidHashError, ValueError) as error:
        raise PinError("pin_hash is not an Argon2 hash") from error
    if parameters.memory_cost > MEMORY_KIB or parameters.time_cost > _MOST_TIME_COST:
        raise PinError(f"pin_hash takes more than {MEMORY_KIB} KiB or t={_MOST_TIME_COST} to check")
    return pin_hash
