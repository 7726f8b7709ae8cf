"""A look at a big file's every page after an unclean stop, while the till sells."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw

from edge_components.edgekit.backoff import Backoff
from edge_components.edgekit.priority import background

from . import database
from .errors import DamagedLedgerError, UncheckedLedgerError

_log = logging.getLogger("pos.ledger")


class BackgroundCheck:
    """Runs quick_check on a connection of its own; `found` hears what is wrong, in the check's thread.

    A file that cannot be looked at is not damaged: that is told, and tried again until it can.
    """

    def __init__(
        self,
        path: Path,
        found: Callable[[DamagedLedgerError], None],
        *,
        backoff: Backoff | None = None,
        busy_milliseconds: int = database.BUSY_MILLISECONDS,
    ) -> None:
        self._path = path
        self._found = found
        self._backoff = backoff or Backoff(base=10, cap=600)
        self._busy = busy_milliseconds
        self._connection: apsw.Connection | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quick_check", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def stop(self) -> None:
        """Leave the rest unlooked at."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            with suppress(apsw.ConnectionClosedError):  # its look has just ended
                connection.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        background()
        while not self._stopping.is_set() and not self._looked():
            self._stopping.wait(self._backoff.next())

    def _looked(self) -> bool:
        try:
            self._look()
        except DamagedLedgerError as error:
            self._found(error)
        except apsw.InterruptError:
            return True
        except (UncheckedLedgerError, apsw.Error) as error:
            _log.warning("the ledger's file could not be checked, which is tried again: %s", error)
            return False
        return True

    def _look(self) -> None:
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        except database.DAMAGE as error:
            raise DamagedLedgerError(str(error)) from error
        try:
            connection.set_busy_timeout(self._busy)
            self._connection = connection
            if not self._stopping.is_set():
                database.quick_check(connection)
                _log.info("the ledger's file is sound")
        finally:
            self._connection = None
            connection.close()
