"""A till's own process on a free port, and sales to ring up on it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import uuid_utils

from tests.assignments import assignment
from tests.pos.zygote import Forked, Zygote

ROOT = Path(__file__).parents[2]
ASSIGNMENT = assignment()


@functools.cache
def zygote() -> Zygote:
    """One for all tills of this process; it ends when this does."""
    found = Zygote()
    atexit.register(found.close)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sale(**changes: Any) -> dict[str, Any]:
    """A sale of one line in which everything is right."""
    return {
        "sale_id": str(uuid_utils.uuid7()),
        "terminal": "T1",
        "cashier": "C1",
        "currency": "USD",
        "lines": [{"sku": "1001", "description": "Milk", "quantity": 2, "unit_price": "1.50", "total": 300}],
        "payments": [{"method": "cash", "amount": 300}],
        "totals": {"total": 300},
        **changes,
    }


class Pos:
    """Starts, kills and asks one till; its data folder outlives its process."""

    look_again_seconds = 0.05

    def __init__(self, folder: Path, **configuration: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        self.machine_id = folder / "machine-id"
        self.machine_id.write_text("machine-1\n")
        self.configuration = {
            "data_dir": str(self.data),
            "machine_id_path": str(self.machine_id),
            "assignment_poll_seconds": "0.05",
            "reserve_bytes": 0,
            "port": free_port(),
            **configuration,
        }
        self.url = f"http://127.0.0.1:{self.configuration['port']}"
        self.client = httpx.Client(base_url=self.url, timeout=120, trust_env=False)
        self.process: subprocess.Popen[bytes] | Forked | None = None

    def assign(self, **changes: Any) -> None:
        part = self.data / "assignment.part"
        part.write_text(json.dumps({**ASSIGNMENT, **changes}))
        part.replace(self.data / "assignment.json")

    def start(self, until: str = "selling") -> Pos:
        path = self.folder / "configuration.json"
        path.write_text(json.dumps(self.configuration))
        self.process = self.begin(path)
        self.wait(until)
        return self

    def begin(self, configuration: Path) -> subprocess.Popen[bytes] | Forked:
        """Forked, since most of a start is the import of packages; spawned where a library goes with it."""
        if "LD_PRELOAD" in os.environ:
            return self._spawned(configuration)
        return zygote().start(configuration, self.folder / "log", os.environ)

    def _spawned(self, configuration: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "GREENTILL_CONFIGURATION": str(configuration), "PYTHONPATH": str(ROOT)}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "edge_components.pos"],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def configure(self, **changes: Any) -> None:
        """Change the configuration's file under a till that runs."""
        self.configuration.update(changes)
        part = self.folder / "configuration.part"
        part.write_text(json.dumps(self.configuration))
        part.replace(self.folder / "configuration.json")

    def wait(self, status: str) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"pos ended: {self.log()}"
            try:
                if self.health()["status"] == status:
                    return
            except httpx.TransportError:
                pass
            time.sleep(self.look_again_seconds)
        raise AssertionError(f"pos is not {status}: {self.log()}")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/v1/health").json()
        return found

    def sell(self, body: dict[str, Any]) -> httpx.Response:
        return self.client.post("/v1/sales", json=body)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=120)
        self.process = None
        return code
