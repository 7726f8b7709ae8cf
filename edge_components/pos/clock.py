"""Time as a Pi has it: no clock chip, so every record says how far its time can be trusted."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from .assignment import Assignment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNC = Path("/run/systemd/timesync/synchronized")
_STA_UNSYNC = 0x0040  # linux/timex.h
_TRUST_SECONDS = 5.0  # how long an answer about synchronization holds
_TOGETHER_NANOSECONDS = 500_000_000
STEP_NANOSECONDS = 2_000_000_000  # smaller changes are slewing and jitter


class _Timex(ctypes.Structure):
    """struct timex of linux/timex.h: modes, offset, freq, maxerror, esterror, status, and what follows."""

    _fields_: ClassVar = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    ]


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of the clocks, in nanoseconds: `wall` since 1970 UTC, `monotonic` since boot."""

    wall: int
    monotonic: int

    @property
    def utc(self) -> datetime:
        seconds, nanoseconds = divmod(self.wall, 1_000_000_000)
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds // 1_000)

    @property
    def text(self) -> str:
        return self.utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Clock:
    """Reads the machine's clocks; nothing here needs a network."""

    def __init__(self) -> None:
        self.boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._asked = float("-inf")
        self._synchronized = False

    def now(self) -> Moment:
        """Both clocks at once: a process held up between them reads again, or it would see a step."""
        while True:
            before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            wall = time.time_ns()
            after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            if after - before < _TOGETHER_NANOSECONDS:
                return Moment(wall, after)

    def synchronized(self) -> bool:
        """Whether the machine's time came from somewhere better than its own memory."""
        now = time.monotonic()
        if now - self._asked > _TRUST_SECONDS:
            self._asked = now
            self._synchronized = _TIMESYNC.exists() or self._kernel_says_so()
        return self._synchronized

    def _kernel_says_so(self) -> bool:
        timex = _Timex()
        return self._libc.adjtimex(ctypes.byref(timex)) >= 0 and not timex.status & _STA_UNSYNC


def business_date(moment: Moment, assignment: Assignment, previous: str | None) -> str:
    """The store's trading day: its local date, which begins at `day_starts`; never before `previous`."""
    local = moment.utc.astimezone(assignment.time_zone)
    starts = assignment.day_starts
    since_midnight = (local.hour, local.minute, local.second)
    day = local.date()
    if since_midnight < (starts.hour, starts.minute, starts.second):
        day -= timedelta(days=1)
    today = day.isoformat()
    return max(today, previous) if previous else today


def day_after(date: str) -> str:
    """The calendar day after an ISO date."""
    return (datetime.fromisoformat(date).date() + timedelta(days=1)).isoformat()


def wall_nanoseconds(recorded_at: str) -> int:
    """A record's time as the wall clock had it, to the microsecond that the record keeps."""
    since = datetime.fromisoformat(recorded_at) - datetime.fromtimestamp(0, UTC)
    return (since // timedelta(microseconds=1)) * 1_000
