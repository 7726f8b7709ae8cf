"""When a component update may go on: not over an open basket, in the store's window, within a day.

What the nucleus asks about is a whole deployment: putting it off puts off everything in it, a rollback too.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge_components.edgekit.files import write_json

from .settings import Settings
from .validation import hours

MOST_SECONDS = 86_400.0  # from the first time that a deployment asked
_LOOK_AGAIN_SECONDS = 300.0  # while the window is closed: settings and clocks change
_log = logging.getLogger("pos.nucleus")


def boot_seconds() -> float:
    """Seconds since the machine started, sleep included: no wrong clock makes a day longer."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Updates:
    """Answers the nucleus. `local` gives the store's time, None while nobody knows it: any hour will do."""

    def __init__(self, settings: Settings, boot_id: str, clock: Callable[[], float] = boot_seconds) -> None:
        self.local: Callable[[], datetime | None] = lambda: None
        self._settings = settings
        self._note = settings.data_dir / "update.json"
        self._boot_id = boot_id
        self._clock = clock
        self._busy = float("-inf")

    def use(self, settings: Settings) -> None:
        """Go on with changed settings; from any thread."""
        self._settings = settings

    def busy(self) -> None:
        """A basket is open or being paid."""
        self._busy = self._clock()

    def wait_milliseconds(self, deployment: str) -> int:
        """How long this deployment should still wait; 0 lets it go on."""
        left = self._first_asked(deployment) + MOST_SECONDS - self._clock()
        wait = max(0.0, self._busy + self._settings.quiet_seconds - self._clock())
        if not self._settings.urgent_updates and not self._in_window():
            wait = max(wait, _LOOK_AGAIN_SECONDS)
        return int(max(0.0, min(wait, left)) * 1_000)

    def _in_window(self) -> bool:
        local = self.local()
        return local is None or hours.is_open(self._settings.update_window, local)

    def _first_asked(self, deployment: str) -> float:
        """In the machine's own time; kept in a file, since an update may find this process anew."""
        now = self._clock()
        try:
            found = json.loads(self._note.read_text(encoding="utf-8"))
            asked = float(found["seconds"])
            known = (found["deployment"], found["boot_id"]) == (deployment, self._boot_id)
            if known and 0 <= asked <= now:  # NaN is neither
                return asked
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            pass  # no deployment has asked yet, or the note is no note: this is the first time
        self._write(self._note, deployment, now)
        return now

    def _write(self, path: Path, deployment: str, now: float) -> None:
        try:
            write_json(path, {"deployment": deployment, "boot_id": self._boot_id, "seconds": now})
        except OSError as error:
            _log.warning("%s cannot be written, so an update may wait longer than a day: %s", path, error)
