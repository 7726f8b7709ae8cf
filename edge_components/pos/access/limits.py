"""Slowing down guesses: after a few wrong ones, each further one has to wait longer."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_REMEMBERED = 1_024  # names at most: whoever invents names must not fill the memory


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    last: float = 0.0
    until: float = 0.0


class Attempts:
    """Counts wrong attempts per name. Kept in memory: a restart forgives, and takes longer than it gains."""

    def __init__(
        self,
        free: int,
        *,
        first_wait: float = 15.0,
        longest_wait: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`free` wrong attempts cost nothing; then waits double, `first_wait` to `longest_wait` seconds."""
        self._free = free
        self._first = first_wait
        self._longest = longest_wait
        self._clock = clock
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait(self, name: str) -> int:
        """Whole seconds until `name` may try again; 0 when it may now."""
        tries = self._tries.get(name)
        return 0 if tries is None else max(0, math.ceil(tries.until - self._clock()))

    def wrong(self, name: str) -> None:
        now = self._clock()
        tries = self._tries.setdefault(name, _Tries())
        if now - tries.last > self._longest:  # an hour ago is another day for a cashier
            tries.wrong = 0
        tries.wrong += 1
        tries.last = now
        over = tries.wrong - self._free
        if over >= 0:
            tries.until = now + min(self._longest, self._first * 2 ** min(over, 16))
        self._tries.move_to_end(name)
        if len(self._tries) > _REMEMBERED:
            self._tries.popitem(last=False)

    def right(self, name: str) -> None:
        self._tries.pop(name, None)
