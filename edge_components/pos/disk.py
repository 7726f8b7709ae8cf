"""Room for the next commit: a ballast goes first, then what can be made again, then there is a clear no."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger("pos.disk")
_SHED = (
    "logs",
    "outbox",
)  # folders beside the ledger, the least missed first; the ledger is never among them


class Disk:
    """Watches the free space beside the ledger. Sizes are in bytes.

    The writer's thread alone makes room; `full` and a changed `reserve` may come from any.
    """

    def __init__(self, folder: Path, *, reserve: int, ballast: int) -> None:
        self._folder = folder
        self.reserve = reserve
        self._size = ballast
        self._ballast = folder / "ballast"
        self._said = False
        self._has_ballast = self._ballast.exists()

    def prepare(self) -> None:
        """Lay the ballast down, once there is plenty of room for it."""
        if self._has_ballast or not self._size or self._free() < self.reserve + 2 * self._size:
            return
        handle = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o664)
        try:
            os.posix_fallocate(handle, 0, self._size)
            self._has_ballast = True
        except OSError as error:
            _log.warning("no ballast: %s", error)
            self._ballast.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def left(self) -> bool:
        """Whether the next transaction fits; makes room if it can."""
        if self._free() >= self.reserve:
            if self._said:
                _log.info("the disk has room again")
                self._said = False
            return True
        return self._made_room()

    def full(self) -> bool:
        """Whether the next transaction will not fit, whatever is given up for it; changes nothing."""
        missing = self.reserve - self._free()
        if missing > 0 and self._has_ballast:
            missing -= self._size
        if missing > 0:
            missing -= sum(_size(path) for path in self._sheddable())
        return missing > 0

    def _made_room(self) -> bool:
        if self._has_ballast:
            self._ballast.unlink(missing_ok=True)
            self._has_ballast = False
            _log.warning("the disk is nearly full: the ballast is given up, free some space soon")
            if self._free() >= self.reserve:
                return True
        for path in self._sheddable():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # another's, or on what can't be written: the next one may do
                _log.debug("%s cannot be given up: %s", path, error)
                continue
            _log.warning("the disk is nearly full: %s is given up", path)
            if self._free() >= self.reserve:
                return True
        if not self._said:
            _log.error("the disk is full and nothing else can go: the till stops selling")
            self._said = True
        return False

    def _sheddable(self) -> list[Path]:
        """Oldest first; what others take away meanwhile is left out."""
        found: list[Path] = []
        for name in _SHED:
            aged = []
            for path in (self._folder / name).rglob("*"):
                with suppress(OSError):
                    if path.is_file() and os.access(path.parent, os.W_OK | os.X_OK):
                        aged.append((path.stat().st_mtime, path))
            found += [path for _, path in sorted(aged)]
        return found

    def _free(self) -> int:
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
