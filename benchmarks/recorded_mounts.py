"""Folders whose writes are written down by a FUSE file system, for programs that LD_PRELOAD can't reach."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import ROOT, BenchmarkError
from tests.faults.disk import Entry, encode

PATIENCE = 60.0


class Journal:
    """Appends entries as tests/faults/disk.c does, whole, also beside other processes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, kind: str, inode: int = 0, number: int = 0, path: str = "", data: bytes = b"") -> None:
        self._file.write(encode(Entry(kind, inode, number, path, data)))

    def close(self) -> None:
        self._file.close()


@contextmanager
def recorded(folder: Path, journal: Path) -> Iterator[Path]:
    """Where `folder` is to be used so that the journal tells what was done to it. Raises BenchmarkError."""
    if os.geteuid() or not Path("/dev/fuse").exists():
        raise BenchmarkError("a power cut of a program that LD_PRELOAD can't reach needs root and /dev/fuse")
    mountpoint = journal.with_name(f"{journal.name}-mount")
    mountpoint.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.recorded_mount", str(folder), str(mountpoint), str(journal)],
        cwd=ROOT,
    )
    try:
        _until_mounted(server, mountpoint)
        yield mountpoint
    finally:
        subprocess.run(["umount", "--lazy", str(mountpoint)], capture_output=True, check=False)
        server.terminate()
        server.wait()


def _until_mounted(server: "subprocess.Popen[bytes]", mountpoint: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not mountpoint.is_mount():
        if server.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError("FUSE does not mount here: see what it said above")
        time.sleep(0.02)
