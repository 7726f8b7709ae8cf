"""A kit that is no longer good, on a Pi: the technician reads why, and so does head office."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet_provisioning.order import Order
from tests.infra.deployed_fleet import DeployedFleet, deploy
from twin import core, fleet
from twin.machines import ensure_root, reclaim

pytestmark = [pytest.mark.twin, pytest.mark.machine, pytest.mark.slow, pytest.mark.timeout(1800)]
SERIAL = "TOOLATE01"


@pytest.fixture
def deployed(cloud: Any) -> DeployedFleet:
    return deploy(cloud)


@pytest.fixture
def work_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "twin"
    reclaim(tmp_path / "twin", erase=True)


def test_an_expired_kit_is_refused_and_says_so_on_the_pi_and_in_the_cloud(
    deployed: DeployedFleet, work_dir: Path, tmp_path: Path
):
    deployed.maker().make(Order(SERIAL, "ST-367", "dev"), tmp_path / "kit")
    deployed.change(SERIAL, claim_expires_at=1)
    told: list[str] = []
    with pytest.raises(fleet.FleetError, match="the bootstrap ended with status 1"):
        fleet.bring_up(
            deployed.cloud.state,
            [tmp_path / "kit"],
            core.build(tmp_path / "core"),
            lambda _serial, line: told.append(line),
            work_dir=work_dir,
            root_image=ensure_root(),
        )
    said = "\n".join(told)
    assert "AccessDenied" in said  # the nucleus's own words
    assert "AccessDenied there means that the cloud refused this kit: it has expired" in said
    row = deployed.row(SERIAL)
    assert row["last_refusal"]["reason"] == "the claim has expired"
    assert row["state"] == "pending"
    assert deployed.session.client("cloudwatch").describe_alarms(
        AlarmNames=[deployed.names.alarm("refused-provisioning")], StateValue="ALARM"
    )["MetricAlarms"]
