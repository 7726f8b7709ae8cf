"""Waiting for what must come, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 120.0


def wait_for(condition: Callable[[], object], what: Callable[[], str] = str) -> None:
    """Return once `condition` holds; fail with `what()` if it does not in two minutes."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
