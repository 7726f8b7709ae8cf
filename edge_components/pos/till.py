"""A till's state: waiting for its assignment, selling, or unable to; and what its health is."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from edge_components.edgekit.ledger import Head, LedgerUnavailableError, Row

from . import VERSION, database
from .assignment import Assignment, AssignmentError, AssignmentFile
from .catalogue import Catalogue
from .checking import BackgroundCheck
from .clock import Clock, Moment, business_date
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


@dataclass(frozen=True, slots=True)
class Cursor:
    """What sync has delivered, as it published it."""

    epoch: str
    seq: int


_NOTHING = Cursor("", 0)  # before sync's first word nothing is known to be delivered


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
        self._cursor: tuple[int, Cursor | None] = (0, None)
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
            await asyncio.to_thread(self.look_for_assignment)
            await asyncio.to_thread(self.look_for_catalogue)
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
        except (NotSellingError, OSError) as error:
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
        cursor = self._read_cursor()
        return cursor is not None and (epoch, seq) <= (cursor.epoch, cursor.seq)

    def health(self) -> Mapping[str, Any]:
        """Costs the same however long the ledger is: a few values in memory and at most one row."""
        position = self._writer.position if self._writer else None
        records = sum(head.seq for head in self._earlier) + (position.seq if position else 0)
        backlog = self._backlog()
        return {
            "status": self._status(),
            "thing": self.assignment.thing if self.assignment else None,
            "store": self.assignment.store if self.assignment else None,
            "epoch": position.epoch if position else None,
            "seq": position.seq if position else None,
            "records": records,
            "backlog": backlog,
            "oldest_undelivered_seconds": self._oldest_undelivered()
            if backlog
            else 0
            if backlog == 0
            else None,
            "version": VERSION,
            "catalogue_version": self._catalogue_version,
        }

    def _status(self) -> str:
        if self._writer is None:
            return self._refusal.code
        return "disk_full" if self._disk.full() else "selling"

    def _backlog(self) -> int | None:
        cursor = self._read_cursor()
        if cursor is None or self._writer is None:
            return None
        position = self._writer.position
        heads = [*((head.epoch, head.seq) for head in self._earlier), (position.epoch, position.seq)]
        later = sum(seq for epoch, seq in heads if epoch > cursor.epoch)
        return later + sum(max(0, seq - cursor.seq) for epoch, seq in heads if epoch == cursor.epoch)

    def _oldest_undelivered(self) -> int | None:
        cursor = self._read_cursor()
        try:
            rows = self._reader.after(cursor.epoch, cursor.seq, limit=1) if cursor else []
        except LedgerUnavailableError:
            return None
        if not rows:
            return 0
        recorded = datetime.fromisoformat(rows[0].recorded_at)
        return max(0, int((datetime.now(UTC) - recorded).total_seconds()))

    def _read_cursor(self) -> Cursor | None:
        path = self.settings.cursor_path
        try:
            version = path.stat().st_mtime_ns
            if version != self._cursor[0]:
                found = json.loads(path.read_text(encoding="utf-8"))
                self._cursor = (version, Cursor(str(found["epoch"]), int(found["seq"])))
        except FileNotFoundError:
            return _NOTHING
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return self._cursor[1]

    def close(self) -> None:
        """Finish what is queued and close the ledger cleanly."""
        if self._check is not None:
            self._check.stop()
        if self._writer is not None:
            self._writer.stop()
        self._reader.close()
        self.catalogue.close()
        self._lock.release()
