"""Tills as processes of this machine, pos and sync each, in front of a cloud with the fleet's tables."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.config import Config

from infra.names import Names
from sales.reconcile import Cloud
from tests.assignments import assignment
from twin import cloud as twin_cloud

ROOT = Path(__file__).parents[2]
TERMINALS = [f"T{number}" for number in range(1, 9)]


@dataclass(frozen=True)
class Account:
    """A cloud, the names of a fleet in it, and the environment of what talks to it."""

    names: Names
    endpoint: tuple[str, int]
    environment: Mapping[str, str]

    def client(self, service: str) -> Any:
        session = boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.names.region,
        )
        return session.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            verify=self.environment["AWS_CA_BUNDLE"],
            config=Config(retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=16),
        )

    def cloud(self) -> Cloud:
        return Cloud(self.names, self.client("dynamodb"), self.client("s3"))


@contextmanager
def account(work: Path, fleet: str = "soak") -> Iterator[Account]:
    """The twin's cloud with a fleet's tables and bucket, for as long as the block lasts."""
    state = twin_cloud.start(work)
    try:
        names = Names(fleet, state.cloud.account, state.cloud.region)
        where = urlsplit(state.cloud.endpoint)
        assert where.hostname is not None
        assert where.port is not None
        environment = {**os.environ, **twin_cloud.environment(state)}
        found = Account(names, (where.hostname, where.port), environment)
        make_tables(found)
        yield found
    finally:
        twin_cloud.stop(work)


def make_tables(found: Account) -> None:
    dynamodb, names = found.client("dynamodb"), found.names
    tables = (
        (names.sales_table, ("pk", "sk")),
        (names.rollups_table, ("pk", "sk")),
        (names.registry_table, ("thing",)),
    )
    for table, keys in tables:
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    found.client("s3").create_bucket(
        Bucket=names.sales_bucket, CreateBucketConfiguration={"LocationConstraint": names.region}
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Till:
    """pos and sync of one till; each can be killed and started again. Ended by `stop`."""

    def __init__(
        self, serial: str, folder: Path, found: Account | None, uplink: int | None = None, **pos: Any
    ) -> None:
        self.thing = found.names.thing(serial) if found else f"local-{serial}"
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment: dict[str, dict[str, str]] = {}
        (folder / "machine-id").write_text(f"{serial}\n", encoding="ascii")
        (self.data / "assignment.json").write_text(json.dumps(assignment(self.thing, terminals=TERMINALS)))
        self.configure(
            "pos",
            os.environ,
            data_dir=str(self.data),
            machine_id_path=str(folder / "machine-id"),
            port=self.port,
            reserve_bytes=0,
            assignment_poll_seconds=0.05,
            **pos,
        )
        if found is not None:
            self._configure_sync(found, uplink)

    def _configure_sync(self, found: Account, uplink: int | None) -> None:
        host, port = found.endpoint
        self.configure_sync(
            {**found.environment, "AWS_ENDPOINT_URL": f"https://{host}:{uplink or port}"},
            sales_table=found.names.sales_table,
            sales_bucket=found.names.sales_bucket,
            registry_table=found.names.registry_table,
            region=found.names.region,
        )

    def configure_sync(self, environment: Mapping[str, str], **settings: Any) -> None:
        """What sync is told; times are short, as a run of minutes needs."""
        values = {"thing": self.thing, "data_dir": str(self.data), "retry_cap_seconds": 2.0, **settings}
        self.configure("sync", environment, **{"segment_seconds": 5.0, **values})

    def configure(self, name: str, environment: Mapping[str, str], **settings: Any) -> None:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        added = {"GREENTILL_CONFIGURATION": str(path), "PYTHONPATH": str(ROOT)}
        self.environment[name] = {**environment, **added}

    def start(self, *names: str) -> None:
        for name in names or self.environment:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-m", f"edge_components.{name}"],
                    env=self.environment[name],
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                )

    def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self.running.pop(name, None)
        if process is not None:
            process.send_signal(number)
            process.wait(120)

    def stop(self) -> None:
        for name in list(self.running):
            self.end(name, signal.SIGTERM)

    def revive(self) -> list[str]:
        """Start again what has ended by itself, as a nucleus would; returns what that was."""
        ended = [name for name, process in self.running.items() if process.poll() is not None]
        if ended:
            self.start(*ended)
        return ended

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/health", timeout=60, trust_env=False).json()
        return found

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """The health that meets `condition`; raises TimeoutError with the last one seen."""
        deadline = time.monotonic() + seconds
        seen: dict[str, Any] = {}
        while time.monotonic() < deadline:
            try:
                seen = self.health()
                if condition(seen):
                    return seen
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise TimeoutError(f"{self.thing} is not there after {seconds:.0f} s: {seen}; see {self.folder}")

    def is_selling(self) -> bool:
        try:
            return bool(self.health()["status"] == "selling")
        except httpx.TransportError:
            return False

    def until_selling(self, seconds: float = 180.0) -> None:
        self.until(lambda health: health["status"] == "selling", seconds)

    def until_delivered(self, seconds: float) -> None:
        self.until(lambda health: health["backlog"] == 0, seconds)
