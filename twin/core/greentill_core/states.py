"""The states of components, and a board where everyone can wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import StrEnum


class State(StrEnum):
    """Greengrass's component states."""

    NEW = "NEW"
    INSTALLED = "INSTALLED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    FINISHED = "FINISHED"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"


HAPPY = frozenset({State.RUNNING, State.FINISHED})


class Board:
    """Who is in which state."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._changed = asyncio.Event()
        self.heard: list[Callable[[str, State], None]] = []

    def __getitem__(self, name: str) -> State:
        return self._states.get(name, State.NEW)

    def set(self, name: str, state: State) -> None:
        """Note a state, wake everyone who waits, tell who listens."""
        if self._states.get(name) == state:
            return
        self._states[name] = state
        self._wake()
        for listener in self.heard:
            listener(name, state)

    def remove(self, name: str) -> None:
        self._states.pop(name, None)
        self._wake()

    def happy(self, names: Iterable[str]) -> bool:
        """Whether all of them are RUNNING or FINISHED."""
        return all(self[name] in HAPPY for name in names)

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait until a change makes the predicate true."""
        while not predicate():
            await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
