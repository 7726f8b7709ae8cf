"""The one thread that writes: group commit, answers only after COMMIT has returned."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import apsw

from . import schema
from .assignment import Assignment
from .errors import NotSellingError
from .ledger import Ledger, Position

EXIT_IO_ERROR = 74  # EX_IOERR of sysexits.h; the supervisor starts a new process, which reopens the file
_LARGEST_BATCH = 256
_CHECKPOINT_PAGES = 1_000  # when nobody waits
_LATE_CHECKPOINT_PAGES = 2_000  # 8 MiB: whoever waits
_SETTLE_SECONDS = 0.05  # as long as nothing came for so long, nobody waits
_log = logging.getLogger("pos.writer")


Work = Callable[[Ledger], Any]


class Room(Protocol):
    """Whether the disk can take another transaction."""

    def left(self) -> bool: ...


@dataclass(slots=True)
class _Job:
    work: Work
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    outcome: Any = None
    error: Exception | None = None


class Writer:
    """Owns the ledger from `start` to `stop`. What queued during one sync goes into the next transaction."""

    def __init__(
        self, ledger: Ledger, *, queue_limit: int, room: Room, committed: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self.queue_limit = queue_limit
        self._room = room
        self._committed = committed
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._wal_pages = 0
        self._accepting = True
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self.position: Position = ledger.position  # what is on disk

    def start(self) -> None:
        self._ledger.connection.set_wal_hook(self._after_commit)
        self._thread.start()

    def assign(self, assignment: Assignment) -> None:
        """Sell under a changed assignment of the same thing from the next record on."""
        self._ledger.assignment = assignment

    def name_catalogue(self, version: str | None) -> None:
        """Name what the till sells from in each record from the next one on."""
        self._ledger.catalogue_version = version

    async def submit(self, work: Work) -> Any:
        """Do `work` in a transaction and return its result once that is on disk.

        Raises NotSellingError when it can't be taken now, and what `work` raises, which undoes it alone.
        """
        if not self._accepting:
            raise NotSellingError("stopping", "the till is stopping")
        if self._jobs.qsize() >= self.queue_limit:
            raise NotSellingError("busy", "more sales are waiting than the till can hold")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(_Job(work, loop, future))
        return await future

    def stop(self) -> None:
        """Finish what is queued, then close the file cleanly."""
        self._accepting = False
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._write_batch():
                pass
            self._close()
        except Exception:  # noqa: BLE001 - whatever it is, the state of the file is unknown
            # After a failed sync nobody knows what is on disk: only reading the file again tells.
            _log.exception("the ledger cannot be written; leaving, so that it is opened anew")
            os._exit(EXIT_IO_ERROR)

    def _write_batch(self) -> bool:
        job = self._next()
        if job is None:
            return False
        batch = self._commit(job)
        self._answer(batch)
        self._committed()
        if self._wal_pages >= _LATE_CHECKPOINT_PAGES:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
        return not self._stopped

    def _next(self) -> _Job | None:
        if self._wal_pages < _CHECKPOINT_PAGES:
            return self._jobs.get()
        try:
            return self._jobs.get(timeout=_SETTLE_SECONDS)
        except queue.Empty:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
            return self._jobs.get()

    def _waiting(self, batch: list[_Job]) -> _Job | None:
        """What goes into the transaction after `batch`: what is there by now, and nothing is waited for."""
        if len(batch) == _LARGEST_BATCH:
            return None
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        self._stopped = job is None
        return job

    def _commit(self, job: _Job | None) -> list[_Job]:
        """One transaction of what has queued and of what comes while that is being written."""
        if not self._room.left():
            return self._refuse(job)
        batch: list[_Job] = []
        connection = self._ledger.connection
        connection.execute("BEGIN IMMEDIATE").fetchall()
        while job is not None:
            self._record(job, connection)
            batch.append(job)
            job = self._waiting(batch)
        connection.execute("COMMIT").fetchall()
        self.position = self._ledger.position
        return batch

    def _refuse(self, job: _Job | None) -> list[_Job]:
        batch: list[_Job] = []
        while job is not None:
            job.error = NotSellingError("disk_full", "the till's disk is full: free some space")
            batch.append(job)
            job = self._waiting(batch)
        return batch

    def _record(self, job: _Job, connection: apsw.Connection) -> None:
        before = self._ledger.position
        connection.execute("SAVEPOINT sale").fetchall()
        try:
            job.outcome = job.work(self._ledger)
        except (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NotADBError):
            raise
        except Exception as error:  # noqa: BLE001 - one sale's fault must not cost the others theirs
            connection.execute("ROLLBACK TO sale").fetchall()
            self._ledger.restore(before)
            job.outcome, job.error = None, error
        connection.execute("RELEASE sale").fetchall()

    @staticmethod
    def _answer(batch: list[_Job]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in batch:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, jobs in by_loop.items():
            loop.call_soon_threadsafe(_resolve, jobs)

    def _after_commit(self, _connection: Any, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self, mode: int) -> None:
        try:
            self._ledger.connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return  # a reader holds on to old pages; the next one will do
        self._wal_pages = 0

    def _close(self) -> None:
        connection = self._ledger.connection
        schema.set_meta(connection, "closed", "cleanly")
        self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.close()


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the terminal went away; its sale is recorded all the same
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.outcome)
