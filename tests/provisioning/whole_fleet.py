"""A fleet of this tree, deployed: a cloud of its own, the real CDK, a till on a machine that boots."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.names import Names
from release.build import Workshop, build
from release.promote import promote
from release.wheelhouse import cache_folder
from tests.cloud.cdk import REPOSITORY, cdk
from tests.conftest import Cloud
from tests.waiting import PATIENCE_SECONDS, wait_for
from twin import cloud as twin_cloud
from twin import core, fleet
from twin.machines import Machine, ensure_root, reclaim
from twin.state import State

GATEWAY = "https://10.77.0.1"  # the cloud, as every till's cable has it
INSIDE_CA = "/etc/greentill/root-ca.pem"
FLEET_TOML = """
[fleet]
name = "greentill"
region = "eu-west-1"

[stores.ST-367]
name = "Main Street"
time_zone = "America/New_York"
currency = "USD"

[stores.ST-406]
name = "Lakeside"
time_zone = "America/Chicago"
currency = "USD"

[stages.dev]
nucleus = "classic"

[stages.dev.configuration.Sync]
segment_seconds = "2"
report_seconds = "2"

[stages.dev.configuration.Commands]
busy_seconds = "3"

[stages.staging]
nucleus = "classic"

[stages.prod]
nucleus = "classic"
"""


@dataclass
class WholeFleet:
    """`folder` holds the clone that is deployed, the cloud's work and the machines'."""

    folder: Path
    cloud: Cloud
    state: State
    names: Names
    kits: dict[str, Path] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def greentill(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """What a `greentill till` command prints with --json."""
        done = subprocess.run(
            [sys.executable, "-m", "greentill", "till", *arguments, "--json"],
            cwd=REPOSITORY,
            env=self.cloud.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS * 2,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return dict(json.loads(done.stdout)) if done.stdout else {"error": done.stderr}

    def row(self, serial: str) -> dict[str, Any]:
        key = {"thing": {"S": self.names.thing(serial)}}
        answer = self.client("dynamodb").get_item(
            TableName=self.names.registry_table, Key=key, ConsistentRead=True
        )
        return dict(answer.get("Item", {}))

    def kit_options(self) -> tuple[str, ...]:
        environment = (f"AWS_ENDPOINT_URL={GATEWAY}", f"AWS_CA_BUNDLE={INSIDE_CA}")
        pairs = (option for pair in environment for option in ("--environment", pair))
        return ("--root-ca", self.state.cloud.ca, *pairs)

    def bring_up(self, serial: str, folder: Path | None = None) -> Machine:
        """A machine with a till on it, which sells."""
        kit = folder or self.folder / "kits" / serial
        if folder is None:
            place = ("--store", "ST-367", "--stage", "dev", "--out", str(kit))
            self.greentill("kit", serial, *place, *self.kit_options())
        log: list[str] = []
        nucleus = core.build(self.folder / "core")
        self.state = fleet.bring_up(
            self.state,
            [kit],
            nucleus,
            lambda _serial, line: log.append(line),
            work_dir=self.folder / "twin",
            root_image=ensure_root(),
        )
        self.sells(serial)
        return fleet.machine(serial, work_dir=self.folder / "twin")

    def sells(self, serial: str) -> dict[str, Any]:
        """Wait until the till is selling."""
        url = self.state.tills[serial].pos_url

        def selling() -> dict[str, Any] | None:
            health = fleet.health(url)
            return health if health and health["status"] == "selling" else None

        return dict(wait_for(selling, f"{serial} to sell"))

    def pos_url(self, serial: str) -> str:
        return self.state.tills[serial].pos_url


def _clone(folder: Path) -> Path:
    """The files from which the CDK deploys, with components built from this tree."""
    root = folder / "clone"
    (root / "releases").mkdir(parents=True)
    shutil.copy(REPOSITORY / "app.py", root / "app.py")
    (root / "fleet.toml").write_text(FLEET_TOML)
    for stage in ("dev", "staging", "prod"):
        (root / "releases" / f"{stage}.json").write_text('{"components": {}}')
    built = build(Workshop(REPOSITORY, root / "dist", cache_folder(), lambda _step: None))
    promote(root, "dev", built)
    return root


@contextmanager
def deployed(folder: Path) -> Iterator[WholeFleet]:
    """A deployed fleet, and its end: machines first, then the cloud."""
    work = folder / "twin"
    work.mkdir(parents=True)
    try:
        state = twin_cloud.start(work)
        plain = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        cloud = Cloud(state, {**plain, **twin_cloud.environment(state)})
        root = _clone(folder)
        cdk(root, cloud, "bootstrap")
        cdk(root, cloud, "deploy", "--all", "--require-approval", "never")
        names = Names("greentill", state.cloud.account, state.cloud.region)
        yield WholeFleet(folder, cloud, state, names)
    finally:
        reclaim(work, erase=True)
        twin_cloud.stop(work)
