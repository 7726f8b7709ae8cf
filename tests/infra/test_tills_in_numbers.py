"""A fleet of hundreds from one list: kits in bounded memory, every till provisioned, listed page by page."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fleet_provisioning.registry import Registry
from infra.names import Names
from tests.cloud.cdk import REPOSITORY
from tests.infra.deployed_fleet import DeployedFleet, Kit, deploy
from tests.waiting import wait_for

pytestmark = [pytest.mark.twin, pytest.mark.timeout(3600)]
AT_ONCE = 3
PEAK_GROWTH_KIB = 16 * 1024  # from the 50th kit to the 500th, which leaves nothing behind in memory


@pytest.fixture(scope="module")
def fleet(cloud: Any) -> DeployedFleet:
    return deploy(cloud)


def listed(folder: Path, serials: Sequence[str]) -> Path:
    file = folder / f"{serials[0]}.csv"
    file.write_text(
        "serial,store,stage,terminals\n" + "".join(f"{serial},ST-367,prod,T1 T2\n" for serial in serials)
    )
    return file


def make_kits(fleet: DeployedFleet, csv: Path, out: Path) -> dict[str, int]:
    """Counts of made, made already and failed, and the process's peak in KiB."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.infra.kit_run", fleet.clone, csv, out, fleet.cloud.state.cloud.ca],
        cwd=REPOSITORY,
        env=fleet.cloud.environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, int] = json.loads(result.stdout)
    return found


def provision_all(fleet: DeployedFleet, out: Path, serials: Sequence[str]) -> None:
    def one(serial: str) -> None:
        fleet.first_contact(serial, fleet.provision(serial, Kit(out / serial).claim))

    with ThreadPoolExecutor(AT_ONCE) as tills:
        list(tills.map(one, serials))


class CountingSession:
    """Counts the requests that leave through its clients, and remembers what they were."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.requests: list[str] = []

    def client(self, service: str) -> Any:
        return self._counted(self._session.client(service))

    def resource(self, service: str) -> Any:
        resource = self._session.resource(service)
        self._counted(resource.meta.client)
        return resource

    def _counted(self, client: Any) -> Any:
        client.meta.events.register("before-send", self._count)
        return client

    def _count(self, event_name: str, **_: Any) -> None:
        self.requests.append(event_name)


def run(fleet: DeployedFleet, folder: Path, prefix: str, count: int) -> dict[str, int]:
    """Kits for `count` tills made, a second run that makes none, and every till provisioned."""
    serials = [f"{prefix}{number:05}" for number in range(count)]
    csv = listed(folder, serials)
    began = time.monotonic()
    first = make_kits(fleet, csv, folder / prefix)
    made_in = time.monotonic() - began
    assert (first["made"], first["failed"]) == (count, 0)
    second = make_kits(fleet, csv, folder / prefix)
    assert (second["made"], second["already"]) == (0, count)
    began = time.monotonic()
    provision_all(fleet, folder / prefix, serials)
    taken = time.monotonic() - began
    sys.stdout.write(f"{count} kits in {made_in:.0f} s, provisioned in {taken:.0f} s, {first}\n")
    return first


def provisioned(session: Any, names: Names, prefix: str) -> int:
    rows = Registry(session, names).in_stage("prod")
    return sum(row.state == "provisioned" and row.serial.startswith(prefix) for row in rows)


def test_forty_tills_of_a_list_provision_with_their_own_claims(fleet: DeployedFleet, tmp_path: Path):
    run(fleet, tmp_path, "FORTY", 40)
    counting = CountingSession(fleet.session)
    assert provisioned(counting, fleet.names, "FORTY") == 40
    assert len(counting.requests) == 1
    wait_for(lambda: not open_claims(fleet, "FORTY"), "the last claim's end")


@pytest.mark.slow
def test_five_hundred_tills_need_no_more_memory_than_fifty(fleet: DeployedFleet, tmp_path: Path):
    told = run(fleet, tmp_path, "MANY", 500)
    assert told["peak_kib"] - told["peak_of_few_kib"] < PEAK_GROWTH_KIB
    counting = CountingSession(fleet.session)
    assert provisioned(counting, fleet.names, "MANY") == 500
    assert len(counting.requests) <= 2  # 500 rows of about a kilobyte, in pages of a megabyte
    wait_for(lambda: not open_claims(fleet, "MANY"), "the last claim's end")


def open_claims(fleet: DeployedFleet, prefix: str) -> list[str]:
    """Certificates with the claim policy whose rows are of these tills."""
    iot = fleet.session.client("iot")
    claims = {
        target.rpartition("/")[2]
        for page in iot.get_paginator("list_targets_for_policy").paginate(policyName=fleet.names.claim_policy)
        for target in page["targets"]
    }
    rows = Registry(fleet.session, fleet.names).in_stage("prod")
    return [row.thing for row in rows if row.serial.startswith(prefix) and row.claim_certificate_id in claims]
