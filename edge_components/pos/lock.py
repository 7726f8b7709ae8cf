"""One process at a time: two writers would each believe that the chain's head is theirs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .errors import NotSellingError
from .obstacles import clear_place


class LedgerLock:
    """An advisory lock beside the ledger; the kernel frees it with the process, whatever ends that."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger.lock"
        self._handle: int | None = None

    def take(self) -> None:
        """Raises NotSellingError while another process holds it; taking it twice is fine."""
        if self._handle is not None:
            return
        clear_place(self._path)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise NotSellingError("ledger_in_use", "another process has the ledger open") from error
        self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
