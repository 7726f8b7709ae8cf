"""How long to wait before trying again: exponential, full jitter, a cap, reset on success."""

from __future__ import annotations

import random


class Backoff:
    """Waits drawn uniformly from 0 to a ceiling that doubles from `base` to `cap` seconds.

    Full jitter, so that a thousand tills that lost the same cloud don't come back in step.
    """

    def __init__(self, base: float = 1.0, cap: float = 300.0, rng: random.Random | None = None) -> None:
        if not 0 < base <= cap:
            raise ValueError("base must be positive and not above cap")
        self._base = base
        self._cap = cap
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._ceiling = base

    @property
    def ceiling(self) -> float:
        """The longest that the next wait can be, in seconds."""
        return self._ceiling

    def next(self) -> float:
        """The next wait, in seconds."""
        wait = self._rng.uniform(0, self._ceiling)
        self._ceiling = min(self._cap, self._ceiling * 2)
        return wait

    def reset(self) -> None:
        """After a success: begin again at `base`."""
        self._ceiling = self._base
