"""The till's receipt printer: one receipt after another, in a thread of its own, away from selling."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from . import status
from .errors import PrinterError
from .line import connect
from .settings import PrinterSettings

_MOST_WAITING = 4

__all__ = ["Printer", "PrinterError", "PrinterSettings", "deliver"]


class Printer:
    """Takes turns: a printer that hangs keeps nobody but other receipts waiting, and few of those."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="printer")
        self._waiting = 0

    async def print(self, settings: PrinterSettings, content: bytes) -> None:
        """Return once it is printed, or sent to a printer that answers no questions; raises PrinterError."""
        if not settings.present:
            raise PrinterError("no_printer", "this till has no printer configured: print from the browser")
        if self._waiting >= _MOST_WAITING:
            raise PrinterError("printer_busy", "other receipts wait for the printer: try again in a moment")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, deliver, settings, content)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Take no more; what is being printed ends by its own deadline."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def deliver(settings: PrinterSettings, content: bytes) -> None:
    """Send one receipt, within `timeout_seconds`; raises PrinterError."""
    with connect(settings) as line:
        answers = settings.ask_status and status.check_ready(line)
        line.send(content)
        if answers:
            status.wait_until_done(line, settings.timeout_seconds)
