"""The workers of sync and what they share, put together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edge_components.edgekit.backoff import Backoff
from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError
from edge_components.sync.assignment import AssignmentFetcher
from edge_components.sync.bucket import BucketSink
from edge_components.sync.cloud import Cloud
from edge_components.sync.progress import Cursor
from edge_components.sync.settings import Settings
from edge_components.sync.state import State
from edge_components.sync.table import TableSink
from edge_components.sync.worker import Duty, Worker

log = logging.getLogger("sync")

CURSOR_SECONDS = 1.0  # each new cursor costs two syncs of the card
ASSIGNMENT_RETRY_SECONDS = 5.0  # a till without an assignment can't sell: it asks more often
JOIN_SECONDS = 3.0


class Service:
    """One worker for each sink and one for the assignment: none waits for another."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cloud = Cloud(settings)
        self._state = State(settings.database)
        self._cursor = Cursor(settings.cursor, LedgerReader(settings.ledger), self._state)
        self._sinks = [
            self._sink(TableSink(settings, LedgerReader(settings.ledger), self._state, self._cloud)),
            self._sink(BucketSink(settings, LedgerReader(settings.ledger), self._state, self._cloud)),
        ]
        fetcher = AssignmentFetcher(settings, self._cloud)
        cap = min(settings.retry_cap_seconds, ASSIGNMENT_RETRY_SECONDS) if fetcher.missing else None
        self._assignment = Worker(fetcher, self._backoff(cap), lambda: settings.assignment_seconds)

    def start(self) -> None:
        for worker in (self._assignment, *self._sinks):
            worker.start()
        log.info("delivering for %s", self._settings.thing)

    def wake(self) -> None:
        """The ledger has grown."""
        for sink in self._sinks:
            sink.wake()

    def run(self, stopping: threading.Event, changed: Callable[[], bool]) -> bool:
        """Publish the cursor until `stopping` is set; true when it ended because the settings `changed`."""
        asked = time.monotonic()
        again = False
        while not again and not stopping.wait(CURSOR_SECONDS):
            self.publish()
            if time.monotonic() - asked >= self._settings.configuration_seconds:
                asked = time.monotonic()
                again = changed()
        self.stop()
        return again

    def publish(self) -> None:
        try:
            self._cursor.publish()
        except LedgerUnavailableError:
            return  # the workers say so; the last cursor stays right
        except OSError as error:
            log.warning("the cursor can't be published: %s", error)

    def stop(self) -> None:
        """End the workers; a request under way is repeated at the next start, which changes nothing."""
        workers = (self._assignment, *self._sinks)
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(JOIN_SECONDS)
        self.publish()

    def _sink(self, duty: Duty) -> Worker:
        return Worker(duty, self._backoff(), lambda: self._settings.poll_seconds)

    def _backoff(self, cap: float | None = None) -> Backoff:
        most = cap if cap is not None else self._settings.retry_cap_seconds
        return Backoff(base=min(self._settings.retry_base_seconds, most), cap=most)
