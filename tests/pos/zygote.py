"""Starts many tills quickly: pos is imported once, each till is a fork of this process that runs its main."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = "GREENTILL_TEST_KEPT"  # in a till's environment: how many records retention keeps whatever their age
GONE_SECONDS = 120.0


class Forked:
    """One till's process, as far as tests.pos.pos_process.Pos asks of subprocess.Popen."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._zygote.ask({"poll": self.pid})
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or GONE_SECONDS)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} does not end")
            time.sleep(0.005)
        return code


class Zygote:
    """The process that forks; close it, or end, to end whatever it started.

    With `disk` (tests.faults.disk.library()) its tills can be given recorded disks.
    """

    def __init__(self, disk: Path | None = None) -> None:
        preloaded = {} if disk is None else {"LD_PRELOAD": str(disk)}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **preloaded},
        )

    def start(self, configuration: Path, log: Path, environment: Mapping[str, str] | None = None) -> Forked:
        """Start a till; with disk.environment(), on a recorded disk of its own."""
        added = {"GREENTILL_CONFIGURATION": str(configuration), **(environment or {})}
        return Forked(self, self.ask({"start": added, "log": str(log)}))

    def ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(GONE_SECONDS)


def _serve() -> None:
    from edge_components.pos.serving import main

    running: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "start" in question:
            pid = os.fork()
            if pid == 0:
                _become_till(question["start"], question["log"], main)
            running.add(pid)
            answer: int | None = pid
        else:
            answer = _ended(question["poll"])
            if answer is not None:
                running.discard(question["poll"])
        print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become_till(environment: Mapping[str, str], log: str, main: Any) -> None:
    from edge_components.pos import retention

    recorded = "LD_PRELOAD" in os.environ
    os.environ.update(environment)
    os.chdir(Path(log).parent)
    retention.KEPT = int(environment.get(KEPT, retention.KEPT))
    if recorded:
        ctypes.CDLL(None).greentill_disk_begin()
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os._exit(code)


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


if __name__ == "__main__":
    _serve()
