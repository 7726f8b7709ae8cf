"""Programs that the demo runs: their output in a log, their end certain."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from twin.demo.show import Say
from twin.state import ROOT

TAIL = 25


class DemoError(Exception):
    """The demo can't go on; a sentence, and where to look."""


class Programs:
    """Starts each program as the leader of a group of its own, so that `end_all` ends what it started too."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._ended = False

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        say: Say,
        timeout: float,
        cwd: Path = ROOT,
    ) -> str:
        """Run to the end and return what it printed; each line goes to the log and to `say` too.

        Raises DemoError, with the log's last lines, when it fails or takes longer than `timeout` seconds.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        with log.open("w", encoding="utf-8") as written:
            process = self._start(argv, environment, cwd)
            timer = threading.Timer(timeout, _end, [process])
            timer.start()
            lines: list[str] = []
            try:
                assert process.stdout is not None  # noqa: S101 asked for with PIPE
                for line in process.stdout:
                    lines.append(line)
                    written.write(line)
                    written.flush()
                    if line.strip():
                        say(line.strip())
                process.wait()
            finally:
                timer.cancel()
                _end(process)
                with self._lock:
                    self._running.discard(process)
        if process.returncode != 0:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])
            raise DemoError(f"{' '.join(argv[:6])} ended with {process.returncode}; {log} ends with:\n{tail}")
        return "".join(lines)

    def _start(self, argv: Sequence[str], environment: Mapping[str, str], cwd: Path) -> subprocess.Popen[str]:
        with self._lock:
            if self._ended:
                raise DemoError("the demo is ending")
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def end_all(self) -> None:
        """End every program that runs, and start no more."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of the program's group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
