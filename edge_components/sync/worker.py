"""A thread that does one thing over and over: quickly while there is work, patiently when something fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from edge_components.edgekit.backoff import Backoff
from edge_components.sync.errors import Kind, classify

log = logging.getLogger("sync")

REPEAT_SECONDS = 60.0  # how often the same trouble is said again
QUIET = (Kind.LEDGER,)  # before the first sale there is no ledger


class Duty(Protocol):
    """`step` returns whether there may be more to do at once; it raises what stood in the way."""

    @property
    def name(self) -> str: ...

    def step(self) -> bool: ...

    def close(self) -> None: ...


class Worker:
    """Runs a duty until it is stopped. Nothing that a duty raises ends it: it waits, then tries again."""

    def __init__(self, duty: Duty, backoff: Backoff, idle_seconds: Callable[[], float]) -> None:
        self._duty = duty
        self._backoff = backoff
        self._idle_seconds = idle_seconds
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._said: tuple[str, float] | None = None
        self._thread = threading.Thread(target=self._run, name=duty.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do; a wait after a failure is not cut short."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                busy = self._duty.step()
            except Exception as error:  # noqa: BLE001 - said, counted and tried again: a till never gives up
                self._failed(error)
                self._stopping.wait(self._backoff.next())
                continue
            self._succeeded()
            if not busy:
                self._wake.wait(self._idle_seconds())
        self._duty.close()

    def _failed(self, error: Exception) -> None:
        kind = classify(error)
        said, when = self._said or ("", 0.0)
        if kind != said or time.monotonic() - when >= REPEAT_SECONDS:
            level = logging.INFO if kind in QUIET else logging.WARNING
            unexpected = kind is Kind.OWN and not str(error)
            log.log(level, "%s waits: %s: %s", self._duty.name, kind, error, exc_info=unexpected)
            self._said = (kind, time.monotonic())

    def _succeeded(self) -> None:
        self._backoff.reset()
        if self._said is not None:
            log.info("%s goes on", self._duty.name)
            self._said = None
