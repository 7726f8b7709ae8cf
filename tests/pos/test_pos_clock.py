"""Reading two clocks: a process that is held up between them has not seen a step."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from edge_components.pos.clock import Clock

SECOND = 1_000_000_000


def test_a_process_that_is_held_up_between_its_two_clocks_reads_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = [0]
    stalls = [3 * SECOND, 0]  # once, right after the wall clock was read

    def wall() -> int:
        now = passed[0]
        passed[0] += stalls.pop(0)
        return now

    def boot(_clock: int) -> int:
        return passed[0]

    readers: dict[str, Callable[..., int]] = {"time_ns": wall, "clock_gettime_ns": boot}
    clock = Clock()
    for name, reader in readers.items():
        monkeypatch.setattr(time, name, reader)
    moment = clock.now()
    assert (moment.wall, moment.monotonic) == (3 * SECOND, 3 * SECOND)
