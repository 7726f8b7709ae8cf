"""The recorded disk (disk.c) as tests and benchmarks use it: built, put under a process, slowed, read."""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("disk.c")
BUILT = Path(__file__).parents[2] / "build" / "faults"
_HEAD = struct.Struct("<cxHIQq")  # struct head in disk.c
_CONTROL = struct.Struct("<IiiIq")  # struct control in disk.c


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a process did.

    `kind`: o opened, w wrote, t truncated, g grew, s began to sync, S synced, r renamed, u removed,
    a answered. `number`: the offset, size or sync in question; for o, 1 when the file was emptied.
    """

    kind: str
    inode: int
    number: int
    path: str
    data: bytes


def library() -> Path:
    """disk.c compiled; built once for each version of it."""
    source = SOURCE.read_bytes()
    built = BUILT / f"disk-{hashlib.sha256(source).hexdigest()[:12]}.so"
    if not built.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        part = built.with_suffix(f".{os.getpid()}")
        argv = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(part), str(SOURCE), "-ldl", "-lpthread"]
        subprocess.run(argv, check=True)
        part.replace(built)
    return built


class Control:
    """What the disk does to the processes on it, changed while they run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def slow_syncs(self, seconds: float) -> None:
        """Each sync takes this much longer."""
        self._set(0, "<I", round(seconds * 1_000_000))

    def fail_syncs(self, count: int) -> None:
        """The next `count` syncs fail with EIO; -1 for all."""
        self._set(4, "<i", count)

    def fail_writes(self, errno: int) -> None:
        """Every write fails with this error; 0 for none."""
        self._set(8, "<i", errno)

    def move_clock(self, seconds: float) -> None:
        """The wall clock is so far ahead of the machine's, or behind it."""
        self._set(16, "<q", round(seconds * 1_000_000_000))

    def fail_reads(self, errno: int, beyond: int = 0) -> None:
        """Every read of a page at this offset or beyond it fails with this error; 0 for none."""
        self._set(32, "<q", beyond)
        self._set(24, "<i", errno)

    def set_clock(self) -> None:
        """The kernel says from now on that the clock is synchronized."""
        self._set(28, "<i", 1)

    @property
    def syncs(self) -> int:
        """How many syncs there were."""
        return int(_CONTROL.unpack_from(self._page)[3])

    def _set(self, offset: int, form: str, value: int) -> None:
        struct.pack_into(form, self._page, offset, value)

    def close(self) -> None:
        self._page.close()


def environment(root: Path, *, journal: Path | None = None, control: Control | None = None) -> dict[str, str]:
    """What a process needs in its environment to have its files below `root` on the recorded disk."""
    found = {"LD_PRELOAD": str(library()), "GREENTILL_DISK_ROOT": str(root)}
    if journal is not None:
        found["GREENTILL_DISK_JOURNAL"] = str(journal)
    if control is not None:
        found["GREENTILL_DISK_CONTROL"] = str(control.path)
    return found


def encode(entry: Entry) -> bytes:
    """An entry as the journal has it, for what does not go through disk.c."""
    path = entry.path.encode()
    head = _HEAD.pack(entry.kind.encode(), len(path), len(entry.data), entry.inode, entry.number)
    return head + path + entry.data


def entries(journal: Path) -> Iterator[Entry]:
    """What was done, in order; a torn last entry, of a process killed while it wrote, is left out."""
    content = journal.read_bytes()
    offset = 0
    while offset + _HEAD.size <= len(content):
        kind, path_length, data_length, inode, number = _HEAD.unpack_from(content, offset)
        middle = offset + _HEAD.size + path_length
        end = middle + data_length
        if end > len(content):
            return
        path = content[offset + _HEAD.size : middle].decode()
        yield Entry(kind.decode(), inode, number, path, content[middle:end])
        offset = end
