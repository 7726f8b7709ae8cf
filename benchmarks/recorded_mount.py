"""A file system that passes everything on to a folder and writes down what it was told, in order.

`python -m benchmarks.recorded_mount FOLDER MOUNTPOINT JOURNAL` serves until SIGTERM. It is for programs that
LD_PRELOAD can't reach; the journal is that of tests/faults/disk.c, with the folder's own paths and inodes.
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfusepy

from benchmarks.recorded_mounts import Journal

_STATUS = ("atime", "ctime", "gid", "mode", "mtime", "nlink", "size", "uid", "ino")
_SPACE = ("bavail", "bfree", "blocks", "bsize", "favail", "ffree", "files", "flag", "frsize", "namemax")


class Recorded(mfusepy.Operations):  # type: ignore[misc]
    """One thread calls it, so that what it writes down is in order."""

    use_ns = True

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder.resolve()
        self._journal = journal
        self._inodes: dict[int, int] = {}
        self._syncs = os.getpid() << 32  # numbers of several processes stay apart

    # what is written

    def create(self, path: str, mode: int, flags: int = os.O_RDWR) -> int:
        return self._open(path, flags | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return self._open(path, flags, 0)

    def _open(self, path: str, flags: int, mode: int) -> int:
        there = self._path(path)
        # The kernel knows where an appended write goes, asks for a sync after each write with O_SYNC by
        # itself, and may read a page before it changes a part of it.
        own = flags & ~(os.O_APPEND | os.O_SYNC | os.O_DIRECT | os.O_WRONLY) | os.O_RDWR
        handle = os.open(there, own if flags & os.O_ACCMODE else flags & ~os.O_DIRECT, mode)
        self._inodes[handle] = os.fstat(handle).st_ino
        self._journal.write("o", self._inodes[handle], int(bool(flags & os.O_TRUNC)), there)
        return handle

    def write(self, _path: str, data: bytes, offset: int, handle: int) -> int:
        done = os.pwrite(handle, data, offset)
        self._journal.write("w", self._inodes[handle], offset, data=data[:done])
        return done

    def truncate(self, path: str, length: int, handle: int | None = None) -> int:
        os.truncate(self._path(path) if handle is None else handle, length)
        self._journal.write("t", os.stat(self._path(path)).st_ino, length)  # noqa: PTH116 - told as text
        return 0

    def fsync(self, _path: str, _datasync: int, handle: int) -> int:
        return self._sync(self._inodes[handle], lambda: os.fsync(handle))

    def fsyncdir(self, path: str, _datasync: int, _handle: int) -> int:
        folder = os.open(self._path(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            return self._sync(0, lambda: os.fsync(folder))
        finally:
            os.close(folder)

    def _sync(self, inode: int, sync: Callable[[], None]) -> int:
        self._syncs += 1
        self._journal.write("s", inode, self._syncs)
        sync()
        self._journal.write("S", inode, self._syncs)
        return 0

    def rename(self, old: str, new: str) -> int:
        source, target = self._path(old), self._path(new)
        Path(source).replace(target)
        self._journal.write("r", path=source, data=target.encode())
        return 0

    def unlink(self, path: str) -> int:
        Path(self._path(path)).unlink()
        self._journal.write("u", path=self._path(path))
        return 0

    # what is only passed on

    def release(self, _path: str, handle: int) -> int:
        self._inodes.pop(handle)
        os.close(handle)
        return 0

    def read(self, _path: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(handle, size, offset)

    def getattr(self, path: str, _handle: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._path(path))
        nanoseconds = {f"st_{name}": getattr(found, f"st_{name}_ns") for name in ("atime", "ctime", "mtime")}
        return {**{f"st_{name}": getattr(found, f"st_{name}") for name in _STATUS}, **nanoseconds}

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._path(path))
        return {f"f_{name}": getattr(found, f"f_{name}") for name in _SPACE}

    def readdir(self, path: str, _handle: int) -> list[str]:
        return [".", "..", *os.listdir(self._path(path))]  # noqa: PTH208 - names, not paths

    def mkdir(self, path: str, mode: int) -> int:
        Path(self._path(path)).mkdir(mode)
        return 0

    def rmdir(self, path: str) -> int:
        Path(self._path(path)).rmdir()
        return 0

    def chmod(self, path: str, mode: int) -> int:
        Path(self._path(path)).chmod(mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        if times is None:
            os.utime(self._path(path))
        else:
            os.utime(self._path(path), ns=times)
        return 0

    def link(self, target: str, source: str) -> int:
        raise OSError(errno.EPERM, f"a journal knows no second name of a file ({source}, {target})")

    def _path(self, path: str) -> str:
        return f"{self._folder}{path}"


def main(folder: str, mountpoint: str, journal: str) -> None:
    operations = Recorded(Path(folder), Journal(Path(journal)))
    options = {"foreground": True, "nothreads": True, "default_permissions": True}
    mfusepy.FUSE(operations, mountpoint, fsname="greentill-recorded", **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
