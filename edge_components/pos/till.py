"""A till's state: waiting for its assignment, selling, or unable to; and what its health is."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from edge_components.edgekit.ledger import Head, LedgerUnavailableError, Row

from . import VERSION, database
from .assignment import Assignment, AssignmentError, AssignmentFile
from .catalogue import Catalogue
from .checking import BackgroundCheck
from .clock import Clock, Moment, business_date
from .delivery import Cursor, CursorFile, Waiting
from .disk import Disk
from .entries import Entry
from .errors import DamagedLedgerError, NotSellingError
from .ledger import Outcome, Rejection
from .lock import LedgerLock
from .lookup import TillReader
from .opening import open_checked
from .settings import Settings, followed
from .writer import EXIT_IO_ERROR, Work, Writer

_REMEMBERED_REJECTIONS = 256
_log = logging.getLogger("pos.till")
T = TypeVar("T")


class Till:
    """What the HTTP API talks to."""

    def __init__(self, settings: Settings, *, committed: Callable[[], None]) -> None:
        self.settings = settings
        self.assignment: Assignment | None = None
        self.catalogue = Catalogue(settings.catalogue_path)
        self._committed = committed
        self._file = AssignmentFile(settings.assignment_path)
        self._lock = LedgerLock(settings.data_dir)
        self._disk = Disk(settings.data_dir, reserve=settings.reserve_bytes, ballast=settings.ballast_bytes)
        self._clock = Clock()
        self._reader = TillReader(settings.ledger_path)
        self._writer: Writer | None = None
        self._check: BackgroundCheck | None = None
        self._catalogue_version: str | None = None
        self._earlier: tuple[Head, ...] = ()
        self._delivered = CursorFile(settings.cursor_path)
        self._in_table = CursorFile(settings.table_cursor_path)
        self._undelivered, self._unreached = Waiting(self._reader), Waiting(self._reader)
        self._rejected: OrderedDict[str, None] = OrderedDict()
        text = f"the till has no assignment yet: {settings.assignment_path} is not there"
        self._refusal = NotSellingError("no_assignment", text)

    def use(self, settings: Settings) -> None:
        """Go on with changed settings, but for those that only a start can change; from any thread."""
        self.settings = followed(self.settings, settings)
        self._disk.reserve = self.settings.reserve_bytes
        if self._writer is not None:
            self._writer.queue_limit = self.settings.queue_limit

    async def watch_assignment(self) -> None:
        """Open the ledger once there is an assignment, and follow both files; runs until cancelled."""
        while True:
            for look in (self.look_for_assignment, self.look_for_catalogue):
                try:
                    await asyncio.to_thread(look)
                except Exception:  # noqa: BLE001 - what ended here, nobody would look for again
                    _log.exception("the till looks again")
            await asyncio.sleep(self.settings.assignment_poll_seconds)

    def look_for_assignment(self) -> None:
        try:
            found = self._file.changed()
        except AssignmentError as error:
            _log.warning("%s", error)
            if self.assignment is None:
                self._refusal = NotSellingError("assignment_invalid", str(error))
            return
        if found is not None and self.assignment is not None and found.thing != self.assignment.thing:
            _log.warning("the assignment is now for %s: starting again as that till", found.thing)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self.assignment = found or self.assignment
        if self.assignment is not None:
            self._serve(self.assignment)

    def _serve(self, assignment: Assignment) -> None:
        if self._writer is not None:
            self._writer.assign(assignment)
            return
        try:
            self._lock.take()
            ledger = open_checked(self.settings, assignment, self._clock)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and tried again at the next look
            refusal = (
                error if isinstance(error, NotSellingError) else NotSellingError("ledger_closed", str(error))
            )
            if str(refusal) != str(self._refusal):
                _log.error("%s", refusal)
            self._refusal = refusal
            return
        self._disk.prepare()
        limit = self.settings.queue_limit
        writer = Writer(ledger, queue_limit=limit, room=self._disk, committed=self._committed)
        writer.name_catalogue(self._catalogue_version)
        writer.start()
        self._writer = writer
        self.note_epochs()
        if ledger.unchecked:
            self._check = BackgroundCheck(self.settings.ledger_path, self._leave_damaged)
            self._check.start()
        _log.info("selling as %s in epoch %s", assignment.thing, writer.position.epoch)
        self._committed()

    def _leave_damaged(self, error: DamagedLedgerError) -> None:
        """End at once; the next start sets the file aside, with all that was sold into it until now."""
        _log.critical("the ledger is damaged (%s); leaving, so that a new one is begun", error)
        database.mark_damaged(self.settings.ledger_path, str(error))
        os._exit(EXIT_IO_ERROR)

    def note_epochs(self) -> None:
        """Remember the heads of closed epochs, which change no more."""
        _, writer = self.ready()
        epoch = writer.position.epoch
        self._earlier = tuple(head for head in self._reader.heads() if head.epoch != epoch)

    def look_for_catalogue(self) -> None:
        self.catalogue.look()
        if self.catalogue.version != self._catalogue_version:
            self.use_catalogue(self.catalogue.version)

    def use_catalogue(self, version: str | None) -> None:
        """Name this catalogue in every record from the next one on."""
        self._catalogue_version = version
        if self._writer is not None:
            self._writer.name_catalogue(version)

    def ready(self) -> tuple[Assignment, Writer]:
        """What selling needs; raises NotSellingError with the reason why not."""
        if self.assignment is None or self._writer is None:
            raise self._refusal
        return self.assignment, self._writer

    async def record(self, entry: Entry) -> Outcome:
        """Commit what a terminal asks; raises NotSellingError, EntryRefusedError."""
        outcome: Outcome = await self.write(lambda ledger: ledger.add(entry))
        return outcome

    async def write(self, work: Work) -> Any:
        """Do something to the ledger in a transaction of its writer."""
        _, writer = self.ready()
        return await writer.submit(work)

    async def reject(self, rejection: Rejection) -> None:
        """Commit a rejection; a terminal that repeats the same bytes is recorded once."""
        if rejection.digest in self._rejected:
            return
        await self.write(lambda ledger: ledger.add_rejection(rejection))
        self._rejected[rejection.digest] = None
        if len(self._rejected) > _REMEMBERED_REJECTIONS:
            self._rejected.popitem(last=False)

    async def find(self, sale_id: str) -> Row | None:
        """What is recorded under an id; raises NotSellingError when there is no ledger to read."""
        return await self.look_up(lambda reader: reader.sale(sale_id.lower()))

    async def look_up(self, question: Callable[[TillReader], T]) -> T:
        """Ask the ledger beside the writer; raises NotSellingError when there is none to read."""
        try:
            return await asyncio.to_thread(question, self._reader)
        except LedgerUnavailableError as error:
            raise NotSellingError("ledger_closed", str(error)) from error

    def trusted_now(self) -> Moment | None:
        """The time, where the clock is synchronized."""
        return self._clock.now() if self._clock.synchronized() else None

    def local_time(self) -> datetime | None:
        """The store's time, where there is a store and the clock is synchronized."""
        now = self.trusted_now()
        return (
            None if now is None or self.assignment is None else now.utc.astimezone(self.assignment.time_zone)
        )

    def today(self) -> str:
        """The business date that the next record would carry."""
        assignment, writer = self.ready()
        return business_date(self._clock.now(), assignment, writer.position.business_date)

    def delivered(self, epoch: str, seq: int) -> bool:
        """Whether table and bucket both have it."""
        cursor = self._delivered.read()
        return cursor is not None and Cursor(epoch, seq) <= cursor

    def health(self) -> Mapping[str, Any]:
        """Costs the same however long the ledger is: a few values in memory and at most two rows."""
        position = self._writer.position if self._writer else None
        records = sum(head.seq for head in self._earlier) + (position.seq if position else 0)
        return {
            "status": self._status(),
            "thing": self.assignment.thing if self.assignment else None,
            "store": self.assignment.store if self.assignment else None,
            "epoch": position.epoch if position else None,
            "seq": position.seq if position else None,
            "records": records,
            **self._waiting(Cursor(position.epoch, position.seq) if position else None),
            "version": VERSION,
            "catalogue_version": self._catalogue_version,
        }

    def _status(self) -> str:
        if self._writer is None:
            return self._refusal.code
        return "disk_full" if self._disk.full() else "selling"

    def _waiting(self, newest: Cursor | None) -> Mapping[str, int | None]:
        """What has not arrived yet; null where nobody can tell."""
        if newest is None:
            return dict.fromkeys(("backlog", "oldest_undelivered_seconds", "unreached_seconds"))
        delivered = self._delivered.read()
        return {
            "backlog": self._backlog(delivered, newest) if delivered else None,
            "oldest_undelivered_seconds": self._undelivered.seconds(delivered, newest),
            "unreached_seconds": self._unreached.seconds(self._reached(delivered), newest),
        }

    def _backlog(self, delivered: Cursor, newest: Cursor) -> int:
        heads = [*(Cursor(head.epoch, head.seq) for head in self._earlier), newest]
        later = sum(head.seq for head in heads if head.epoch > delivered.epoch)
        same = [head.seq for head in heads if head.epoch == delivered.epoch]
        return later + sum(max(0, seq - delivered.seq) for seq in same)

    def _reached(self, delivered: Cursor | None) -> Cursor | None:
        """What the table has; what both have it has too, so a sync that says nothing of it is understood."""
        in_table = self._in_table.read()
        return max(delivered, in_table) if delivered and in_table else None

    def close(self) -> None:
        """Finish what is queued and close the ledger cleanly."""
        if self._check is not None:
            self._check.stop()
        if self._writer is not None:
            self._writer.stop()
        self._reader.close()
        self.catalogue.close()
        self._lock.release()
