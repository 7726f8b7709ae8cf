"""Waiting for what must come, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 400.0  # for what takes seconds on a machine with nothing else to do
PAUSE_SECONDS = 0.05
Found = TypeVar("Found")


def wait_for(
    condition: Callable[[], Found | None],
    what: str | Callable[[], str] = "what must come",
    *,
    seconds: float = PATIENCE_SECONDS,
) -> Found:
    """The first true value of `condition`; fails with `what` (words, or what makes them then) in the end."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what if isinstance(what, str) else what()}"
        time.sleep(PAUSE_SECONDS)
    return found
