"""Signing in with a PIN, and what a supervisor who has just done so allows."""

from __future__ import annotations

import time
from collections.abc import Callable

from .cashiers import Cashier, Cashiers
from .errors import AccessRefusedError
from .limits import Attempts
from .pins import Pins

APPROVAL_SECONDS = 300.0  # long enough for a refund with a customer, too short for a shift
_WRONG_PER_CASHIER = 5
_WRONG_PER_TERMINAL = 15


class SignIn:
    """Checks PINs; guesses are slowed down per cashier and per terminal."""

    def __init__(
        self, cashiers: Cashiers, pins: Pins, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cashiers = cashiers
        self._pins = pins
        self._clock = clock
        self._by_cashier = Attempts(_WRONG_PER_CASHIER, clock=clock)
        self._by_terminal = Attempts(_WRONG_PER_TERMINAL, clock=clock)
        self._approved: dict[str, float] = {}

    async def sign_in(self, cashier: str, pin: str, terminal: str) -> Cashier:
        """Who that is; raises AccessRefusedError (403, or 429 with the seconds to wait)."""
        self._may_try(cashier, terminal)
        found = self._cashiers.find(cashier)
        # Counted before the check, so that many guesses at the same moment don't slip through together.
        self._by_cashier.wrong(cashier)
        self._by_terminal.wrong(terminal)
        right = await self._pins.matches(found.pin_hash if found else None, pin)
        if found is None or not right:
            raise AccessRefusedError(403, "pin_wrong", "the cashier or the PIN is not right")
        self._by_cashier.right(cashier)
        self._by_terminal.right(terminal)
        if found.role == "supervisor":
            self._approved[cashier] = self._clock() + APPROVAL_SECONDS
        return found

    def approves(self, supervisor: str) -> bool:
        """Whether this is a supervisor who signed in on this till within the last five minutes."""
        found = self._cashiers.find(supervisor)
        if found is None or found.role != "supervisor":
            return False
        return self._approved.get(supervisor, float("-inf")) > self._clock()

    def _may_try(self, cashier: str, terminal: str) -> None:
        wait = max(self._by_cashier.wait(cashier), self._by_terminal.wait(terminal))
        if wait:
            text = f"too many wrong PINs: try again in {wait} seconds"
            raise AccessRefusedError(429, "pin_locked", text, retry_after=wait)
