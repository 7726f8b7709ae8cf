"""What other components leave for head office: small files, put into the bucket under the till's own name.

A component writes its file whole (beside, then renamed). A name is a key for good: the same file sent twice
changes nothing. Sales never wait for it, and on a full disk pos gives these files up before it stops selling.
"""

from __future__ import annotations

import heapq
import logging
import os
import re
import stat
from collections import deque
from pathlib import Path

from edge_components.sync.cloud import Cloud
from edge_components.sync.settings import Settings

LARGEST_BYTES = 256 * 1024
AT_ONCE = 1_000  # files that one look finds: with a hundred thousand, a look for each would take days
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.json")
log = logging.getLogger("sync")

Version = tuple[int, int, int]  # modified and changed in nanoseconds, inode


class Outbox:
    """`step` delivers the oldest file and takes it away once the bucket has it."""

    name = "outbox"

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self._settings = settings
        self._cloud = cloud
        self._said: set[str] = set()
        self._next: deque[Path] = deque()  # oldest first: looked for once for many files
        self._left: dict[Path, Version] = {}  # what can't be read or taken away: tried again once it changes

    def step(self) -> bool:
        """Whether there may be more to deliver. Raises what stood in the way."""
        if not self._next:
            self._next.extend(self._oldest())
        if not self._next:
            return False
        self._deliver(self._next[0])
        self._next.popleft()
        return True

    def _deliver(self, path: Path) -> None:
        found = self._read(path)
        if found is None:
            return
        version, content = found
        self._cloud.s3.put_object(
            Bucket=self._settings.sales_bucket,
            Key=f"outbox/till={self._settings.thing}/{path.name}",
            Body=content,
            ContentType="application/json",
        )
        try:
            _take_away(path, version)
        except OSError as error:
            self._leave(path, version, f"was delivered, but can't be taken away ({error.strerror})")

    def _read(self, path: Path) -> tuple[Version, bytes] | None:
        """None for what is gone by now, given up for room, and for what can't be read."""
        try:
            version = _version(path.lstat())
        except FileNotFoundError:
            return None
        try:
            return version, path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave(path, version, f"can't be read ({error.strerror})")
            return None

    def _oldest(self) -> list[Path]:
        found = []
        there = {}
        for path in self._settings.outbox.glob("*"):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if not NAME.fullmatch(path.name) or not stat.S_ISREG(status.st_mode):
                continue
            if self._left.get(path) == _version(status):
                there[path] = _version(status)
            elif status.st_size <= LARGEST_BYTES:
                found.append((status.st_mtime_ns, path))
            else:
                self._tell(path.name, f"has more than {LARGEST_BYTES} bytes")
        self._left = there
        return [path for _, path in heapq.nsmallest(AT_ONCE, found)]

    def _leave(self, path: Path, version: Version, why: str) -> None:
        self._left[path] = version
        self._tell(path.name, why)

    def _tell(self, name: str, why: str) -> None:
        if name not in self._said:
            self._said.add(name)
            log.warning("outbox/%s %s: it stays where it is", name, why)

    def close(self) -> None:
        """Nothing is held."""


def _version(status: os.stat_result) -> Version:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _take_away(path: Path, version: Version) -> None:
    """Unless another file has taken its place meanwhile."""
    try:
        if _version(path.lstat()) == version:
            path.unlink()
    except FileNotFoundError:
        return
