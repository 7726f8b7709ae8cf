"""Servers that benchmarks start and end."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.figure import ROOT, BenchmarkError
from benchmarks.http_client import Terminal
from tests.soak.tills import free_port

PATIENCE = 60.0


@contextmanager
def empty_server() -> Iterator[int]:
    """The port of a server whose application does nothing."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.empty_server", str(port)], cwd=ROOT)
    try:
        asyncio.run(first_answer(port, "/", b"{}"))
        yield port
    finally:
        process.kill()
        process.wait()


async def first_answer(port: int, path: str, body: bytes) -> float:
    """Ask until there is a good answer; returns when that was (time.perf_counter)."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            terminal = await Terminal.connect(port)
            try:
                await terminal.post(path, body)
                return time.perf_counter()
            finally:
                terminal.close()
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.005)
    raise BenchmarkError(f"the server on port {port} gave no answer in {PATIENCE:.0f} s")
