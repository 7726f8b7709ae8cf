"""Emptying a ledger into a cloud: by sync, and by a bare loop around boto3."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from benchmarks import ledgers
from benchmarks.figure import ROOT, BenchmarkError
from benchmarks.processes import cpu_seconds
from infra.names import Names
from tests.soak.tills import Till

WRITERS = 4
PATIENCE = 3_600.0


@dataclass(frozen=True)
class Target:
    """Where to; `environment` is what an AWS SDK needs to get there."""

    names: Names
    environment: Mapping[str, str]

    @classmethod
    def at(cls, port: int, ca: Path | str, names: Names) -> "Target":
        """An endpoint on loopback that asks for no rights."""
        return cls(
            names,
            {
                **os.environ,
                "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
                "AWS_CA_BUNDLE": str(ca),
                "AWS_ACCESS_KEY_ID": "till",
                "AWS_SECRET_ACCESS_KEY": "till",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock and of CPU."""

    seconds: float
    cpu: float


def head(ledger: Path) -> tuple[str, int]:
    connection = apsw.Connection(str(ledger), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        row = connection.execute("SELECT epoch, seq FROM records ORDER BY epoch DESC, seq DESC LIMIT 1")
        epoch, seq = row.fetchall()[0]
        return str(epoch), int(str(seq))
    finally:
        connection.close()


def by_sync(source: Till, folder: Path, target: Target, serial: str) -> Spent:
    """From when a running sync finds the ledger to the cursor that says that both places have it."""
    till = Till(serial, folder, None)
    till.thing = target.names.thing(serial)
    till.configure_sync(
        target.environment,
        sales_table=target.names.sales_table,
        sales_bucket=target.names.sales_bucket,
        registry_table=target.names.registry_table,
        region=target.names.region,
        segment_seconds=0.1,
        retry_base_seconds=0.05,
        retry_cap_seconds=0.2,
        poll_seconds=0.05,
        most_writers=WRITERS,
    )
    till.start("sync")
    try:
        _until_started(till)
        pid = till.running["sync"].pid
        last, cursor = head(source.data / "ledger.db"), till.data / "cursors" / "sync.json"
        ready = folder / "ready"
        ledgers.copy(source.data, ready)
        cpu = cpu_seconds(pid)
        for path in sorted(ready.iterdir(), reverse=True):  # the database last
            path.rename(till.data / path.name)
        began = time.perf_counter()
        while _cursor(cursor) != last:
            if time.perf_counter() - began > PATIENCE or till.running["sync"].poll() is not None:
                raise BenchmarkError(f"sync does not deliver; see {folder / 'sync.log'}")
            time.sleep(0.02)
        return Spent(time.perf_counter() - began, cpu_seconds(pid) - cpu)
    finally:
        till.stop()


def by_bare_loop(source: Till, target: Target, serial: str) -> Spent:
    names = target.names
    ledger = str(source.data / "ledger.db")
    said = [ledger, names.thing(serial), names.sales_table, names.sales_bucket, str(WRITERS)]
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare_drain", *said],
        cwd=ROOT,
        env={**target.environment, "AWS_DEFAULT_REGION": names.region},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    seconds, cpu = map(float, told.stdout.split())
    return Spent(seconds, cpu)


def _until_started(till: Till) -> None:
    deadline = time.monotonic() + 60
    log = till.folder / "sync.log"
    while "delivering for" not in log.read_text(encoding="utf-8"):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"sync does not start; see {log}")
        time.sleep(0.05)
    time.sleep(1.0)  # its clients are being made


def _cursor(path: Path) -> tuple[str, int] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found["epoch"], found["seq"]
