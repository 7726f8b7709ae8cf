"""Start the link's process and speak to it."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from twin.link.settings import TillLink, Upstreams
from twin.machines import cgroup
from twin.machines.host import require_host
from twin.machines.names import link_cgroup, runtime_dir

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 15.0
ANSWER_SECONDS = 30.0


class LinkError(Exception):
    """The link can't be reached or refuses; one sentence that says what to do."""


class Link:
    """The link of the twin in `work_dir`. Holds nothing itself: any number of them, in any process, do."""

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir.resolve()
        self.control = runtime_dir(self._work_dir) / "link.sock"
        self.log = self._work_dir / "link.log"

    @classmethod
    def start(cls, work_dir: Path, upstreams: Upstreams) -> Self:
        """The link forwarding to `upstreams`: the running one if it does, else a new one."""
        require_host()
        link = cls(work_dir)
        if link.running and link._status()["upstreams"] == asdict(upstreams):
            return link
        link.stop()
        link._start(upstreams)
        return link

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return cgroup.populated(link_cgroup(self._work_dir))

    def add(self, serial: str) -> TillLink:
        """Lay the till's cable if need be and forward for it; the same LAN port if it is known already."""
        return TillLink(**self._ask("add", serial))

    def remove(self, serial: str) -> None:
        """Forward for the till no longer."""
        self._ask("remove", serial)

    def cut(self, serial: str) -> None:
        """Pull the till's cable: open connections hang, new ones can't be made; the LAN side goes on."""
        self._ask("cut", serial)

    def restore(self, serial: str) -> None:
        """Plug it in again; connections from before the cut are reset."""
        self._ask("restore", serial)

    def status(self) -> dict[str, TillLink]:
        """How each till's link stands, by serial."""
        return {serial: TillLink(**till) for serial, till in self._status()["tills"].items()}

    def stop(self) -> None:
        """End the link's process, if there is one; cables stay."""
        cgroup.kill(link_cgroup(self._work_dir))
        cgroup.remove(link_cgroup(self._work_dir))
        self.control.unlink(missing_ok=True)

    def _start(self, upstreams: Upstreams) -> None:
        self._work_dir.mkdir(parents=True, exist_ok=True)
        self.control.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ports = [f"--{name}={port}" for name, port in asdict(upstreams).items()]
        served = [
            sys.executable,
            "-m",
            "twin.link",
            f"--work-dir={self._work_dir}",
            f"--control={self.control}",
        ]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                cgroup.entering(cgroup.create(link_cgroup(self._work_dir)), [*served, *ports]),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self.control.exists():
                self._status()
                return
            time.sleep(0.02)
        raise LinkError(f"The link did not start: see {self.log}.")

    def _status(self) -> dict[str, Any]:
        return self._ask("status")

    def _ask(self, do: str, serial: str | None = None) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(str(self.control))
                connection.sendall(json.dumps({"do": do, "serial": serial}).encode() + b"\n")
                with connection.makefile("rb") as answers:
                    answer: dict[str, Any] = json.loads(answers.readline())
        except (OSError, ValueError) as error:
            raise LinkError(
                f"The link does not answer ({error}): start the twin with greentill twin up."
            ) from error
        if "error" in answer:
            raise LinkError(f"The link could not {do} {serial or ''}: {answer['error']}")
        return answer
