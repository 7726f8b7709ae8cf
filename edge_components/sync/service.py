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
from edge_components.sync.catalogue import CatalogueFetcher
from edge_components.sync.cloud import Cloud
from edge_components.sync.heads import CloudHeads
from edge_components.sync.outbox import Outbox
from edge_components.sync.progress import TABLE, Cursor
from edge_components.sync.report import Reporter
from edge_components.sync.rollups import RollupSink
from edge_components.sync.settings import Settings
from edge_components.sync.state import DAMAGE, State
from edge_components.sync.table import TableSink
from edge_components.sync.worker import Duty, Worker

log = logging.getLogger("sync")

CURSOR_SECONDS = 1.0  # each new cursor costs two syncs of the card
TABLE_CURSOR_SECONDS = 5.0  # seldom enough for the card, soon enough for the page: it waits 30 s
ASSIGNMENT_RETRY_SECONDS = 5.0  # a till without an assignment can't sell: it asks more often
JOIN_SECONDS = 3.0


class Service:
    """A worker for each duty: none waits for another.

    Sinks are woken when the ledger has grown; the others look again after a while.
    """

    def __init__(self, settings: Settings, version: str | None = None) -> None:
        self._settings = settings
        self._cloud = Cloud(settings)
        self._state = State(settings.database)
        ledger, every = LedgerReader(settings.ledger), TABLE_CURSOR_SECONDS
        self._cursors = (
            Cursor(settings.cursor, ledger, self._state),
            Cursor(settings.table_cursor, ledger, self._state, TABLE, seconds=every),
        )
        heads = CloudHeads(settings, self._cloud)
        table = TableSink(settings, LedgerReader(settings.ledger), self._state, self._cloud, heads)
        bucket = BucketSink(settings, LedgerReader(settings.ledger), self._state, self._cloud)
        self._sinks = [self._every(settings.poll_seconds, sink) for sink in (table, bucket)]
        reporter = Reporter(settings, LedgerReader(settings.ledger), self._state, self._cloud, version)
        self._others = [
            self._assignment(),
            self._every(settings.heads_seconds, heads),
            self._every(settings.report_seconds, reporter),
            self._every(settings.outbox_seconds, Outbox(settings, self._cloud)),
            *self._optional(),
        ]

    @property
    def _workers(self) -> list[Worker]:
        return [*self._others, *self._sinks]

    def start(self) -> None:
        for worker in self._workers:
            worker.start()
        log.info("delivering for %s", self._settings.thing)

    def wake(self) -> None:
        """The ledger has grown."""
        for sink in self._sinks:
            sink.wake()

    def run(self, stopping: threading.Event, changed: Callable[[], bool]) -> bool:
        """Publish the cursors until `stopping` is set; true when it is to start afresh: the settings
        `changed`, or sync.db is damaged."""
        asked = time.monotonic()
        again = False
        while not again and not stopping.wait(CURSOR_SECONDS):
            self.publish()
            if self._state.damaged:
                self.stop()
                self._state.set_aside("found while in use")
                return True
            if time.monotonic() - asked >= self._settings.configuration_seconds:
                asked = time.monotonic()
                again = changed()
        self.stop()
        return again

    def publish(self, *, last: bool = False) -> None:
        for cursor in self._cursors:
            try:
                cursor.publish(last=last)
            except LedgerUnavailableError:
                return  # the workers say so; the last cursor stays right
            except DAMAGE:
                return  # which starts everything afresh
            except OSError as error:
                log.warning("a cursor can't be published: %s", error)

    def stop(self) -> None:
        """End the workers; a request under way is repeated at the next start, which changes nothing."""
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join(JOIN_SECONDS)
        self.publish(last=True)

    def _assignment(self) -> Worker:
        fetcher = AssignmentFetcher(self._settings, self._cloud)
        cap = ASSIGNMENT_RETRY_SECONDS if fetcher.missing else self._settings.retry_cap_seconds
        return self._every(self._settings.assignment_seconds, fetcher, cap=cap)

    def _optional(self) -> list[Worker]:
        """What a till sells well without; a configuration from before it was there has no name for it."""
        workers = []
        if self._settings.rollups_table:
            sink = RollupSink(self._settings, self._state, self._cloud)
            workers.append(self._every(self._settings.rollups_seconds, sink))
        if self._settings.artifact_bucket:
            fetcher = CatalogueFetcher(self._settings, self._cloud)
            workers.append(self._every(self._settings.catalogue_seconds, fetcher))
        return workers

    def _every(self, seconds: float, duty: Duty, cap: float | None = None) -> Worker:
        """A worker for a duty that looks for work again after `seconds` without any."""
        most = min(self._settings.retry_cap_seconds, cap or self._settings.retry_cap_seconds)
        backoff = Backoff(base=min(self._settings.retry_base_seconds, most), cap=most)
        return Worker(duty, backoff, lambda: seconds)
