"""A look at a big file's every page after an unclean stop, while the till sells."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw

from . import database
from .errors import DamagedLedgerError

_NICENESS = 10
_log = logging.getLogger("pos.ledger")


class BackgroundCheck:
    """Runs quick_check on a connection of its own; `found` hears what is wrong, in the check's thread."""

    def __init__(self, path: Path, found: Callable[[DamagedLedgerError], None]) -> None:
        self._path = path
        self._found = found
        self._connection: apsw.Connection | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="quick_check", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def stop(self) -> None:
        """Leave the rest unlooked at."""
        self._stopping = True
        if self._connection is not None:
            self._connection.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)  # selling goes first
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(database.BUSY_MILLISECONDS)  # busy isn't damaged
        self._connection = connection
        try:
            if not self._stopping:
                database.quick_check(connection)
                _log.info("the ledger's file is sound")
        except apsw.InterruptError:
            return
        except DamagedLedgerError as error:
            self._found(error)
        except apsw.Error as error:
            self._found(DamagedLedgerError(str(error)))
        finally:
            connection.close()
