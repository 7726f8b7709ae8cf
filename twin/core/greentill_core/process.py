"""A lifecycle script as a process group of its own, its output in the component's log."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress

from .users import Account

STOP_SECONDS = 15.0  # between SIGTERM and SIGKILL
_LINE_BYTES = 256 * 1024


class Process:
    """A running script; `stop` ends everything it started in its group."""

    def __init__(self, process: asyncio.subprocess.Process, copiers: list[asyncio.Task[None]]) -> None:
        self._process = process
        self._copiers = copiers

    @classmethod
    async def start(
        cls, script: str, account: Account, environment: Mapping[str, str], folder: str, log: logging.Logger
    ) -> Process:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            script,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env={**environment, "HOME": account.home, "USER": account.name, "LOGNAME": account.name},
            start_new_session=True,
            limit=_LINE_BYTES,
            **account.process(),  # type: ignore[arg-type]
        )
        outputs = ((process.stdout, logging.INFO, "stdout"), (process.stderr, logging.WARNING, "stderr"))
        copiers = [
            asyncio.create_task(_copy(stream, log, level, name)) for stream, level, name in outputs if stream
        ]
        return cls(process, copiers)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """Its exit code; negative for a signal."""
        code = await self._process.wait()
        await asyncio.wait(self._copiers, timeout=1)  # a daemon it left behind may hold the pipe
        return code

    async def stop(self) -> None:
        """SIGTERM to the group, SIGKILL after a while."""
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        self._signal(signal.SIGKILL)
        await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


async def _copy(stream: asyncio.StreamReader, log: logging.Logger, level: int, name: str) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # a line longer than the limit; asyncio dropped it
            log.warning("%s: a line of more than %d bytes was dropped", name, _LINE_BYTES)
            continue
        if not line:
            return
        log.log(level, "%s. %s", name, line.decode(errors="replace").rstrip("\n"))
