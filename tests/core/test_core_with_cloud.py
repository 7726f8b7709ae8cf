"""The whole path: a claim, a deployment, an artifact from S3, a restart without the cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.cable import Cable
from tests.core.cloud_fleet import Fleet, power_cut, running
from tests.core.core_under_test import recipe_text, short_folder
from tests.waiting import wait_for

pytestmark = pytest.mark.twin

FOREVER = "while :; do sleep 0.2; done"
UNREACHABLE = 1  # nothing listens on port 1


@pytest.fixture
def fleet(cloud: Any) -> Fleet:
    return Fleet.make(cloud)


@pytest.fixture
def folder() -> Any:
    with short_folder() as made:
        yield made


def hello(fleet: Fleet, name: str, text: str, version: str = "1.0.0", run: str = "") -> None:
    """A component whose artifact lies in the fleet's bucket."""
    key = f"components/{name}/{version}/hello.txt"
    fleet.cloud.client("s3").put_object(Bucket=fleet.bucket, Key=key, Body=text.encode())
    fleet.component(
        recipe_text(
            name,
            version,
            artifacts=[{"Uri": f"s3://{fleet.bucket}/{key}"}],
            lifecycle={"run": run or "cat {artifacts:path}/hello.txt; echo; " + FOREVER},
        )
    )


def log(root: Path, name: str) -> str:
    path = root / "logs" / f"{name}.log"
    return path.read_text() if path.exists() else ""


def test_a_claim_becomes_a_till_that_runs_what_its_group_runs_and_starts_again_without_the_cloud(
    fleet: Fleet, folder: Path
) -> None:
    name = f"com.test.{fleet.names.fleet}"
    hello(fleet, name, "fetched with the till's own credentials")
    deployment = fleet.deploy({name: "1.0.0"})
    root = fleet.root(folder, "CORE0001")
    with running(root, fleet.environment()) as core:
        wait_for((root / "config" / "identity.json").exists)
        thing = json.loads((root / "config" / "identity.json").read_text())["thing"]
        assert thing == f"{fleet.names.fleet}-CORE0001"
        for kept in ("privKey.key", "thingCert.crt", "config/identity.json"):
            assert (root / kept).stat().st_mode & 0o777 == 0o600
        wait_for(lambda: fleet.job_status(deployment, thing)[0] == "SUCCEEDED")
        assert "stdout. fetched with the till's own credentials" in log(root, name)
        installed = fleet.cloud.client("greengrassv2").list_installed_components
        wait_for(lambda: installed(coreDeviceThingName=thing)["installedComponents"])
        power_cut(core)
    key = (root / "privKey.key").read_bytes()
    settings = json.loads((root / "config" / "core.json").read_text())
    cut_off = {"mqtt_port": UNREACHABLE, "data_plane_port": UNREACHABLE, "credentials_port": UNREACHABLE}
    (root / "config" / "core.json").write_text(json.dumps(settings | cut_off))
    with running(root, fleet.environment()):
        wait_for(lambda: log(root, name).count("stdout. fetched") == 2)
    assert (root / "privKey.key").read_bytes() == key


def test_a_second_start_does_not_provision_again(fleet: Fleet, folder: Path) -> None:
    root = fleet.root(folder, "CORE0002")
    with running(root, fleet.environment()):
        wait_for((root / "config" / "identity.json").exists)
    before = (root / "thingCert.crt").read_bytes()
    (root / "claim.private.key").unlink()
    thing = json.loads((root / "config" / "identity.json").read_text())["thing"]
    greengrass = fleet.cloud.client("greengrassv2")
    with running(root, fleet.environment()):
        wait_for(lambda: "connected to AWS IoT" in log(root, "greengrass"))
        wait_for(
            lambda: (
                thing
                in [each["coreDeviceThingName"] for each in greengrass.list_core_devices()["coreDevices"]]
            )
        )
    assert (root / "thingCert.crt").read_bytes() == before


def test_a_refused_provisioning_is_said_plainly_and_tried_again_until_it_is_let_in(
    fleet: Fleet, folder: Path
) -> None:
    root = fleet.root(folder, "CORE0003")
    iot, template = fleet.cloud.client("iot"), fleet.names.provisioning_template
    iot.update_provisioning_template(templateName=template, enabled=False)
    with running(root, fleet.environment()):
        wait_for(lambda: log(root, "greengrass").count("provisioning was refused: ") >= 2)
        assert "new kit" in log(root, "greengrass")
        assert not (root / "config" / "identity.json").exists()
        iot.update_provisioning_template(templateName=template, enabled=True)
        wait_for((root / "config" / "identity.json").exists)


def test_a_version_that_does_not_start_is_reported_failed_and_the_one_before_runs_on(
    fleet: Fleet, folder: Path
) -> None:
    name = f"com.test.{fleet.names.fleet}"
    hello(fleet, name, "good")
    hello(fleet, name, "bad", "1.1.0", run="exit 1")
    first = fleet.deploy({name: "1.0.0"})
    root = fleet.root(folder, "CORE0004")
    thing = f"{fleet.names.fleet}-CORE0004"
    with running(root, fleet.environment()):
        wait_for((root / "config" / "identity.json").exists)
        wait_for(lambda: fleet.job_status(first, thing)[0] == "SUCCEEDED")
        second = fleet.deploy({name: "1.1.0"})
        wait_for(lambda: fleet.job_status(second, thing)[0] == "FAILED")
        assert fleet.job_status(second, thing)[1]["detailed-deployment-status"] == "FAILED_ROLLBACK_COMPLETE"
        wait_for(lambda: log(root, name).count("stdout. good") == 2)


def test_an_artifact_swapped_in_the_bucket_never_runs(fleet: Fleet, folder: Path) -> None:
    name = f"com.test.{fleet.names.fleet}"
    hello(fleet, name, "original")
    key = f"components/{name}/1.0.0/hello.txt"
    fleet.cloud.client("s3").put_object(Bucket=fleet.bucket, Key=key, Body=b"swapped")
    deployment = fleet.deploy({name: "1.0.0"})
    root = fleet.root(folder, "CORE0005")
    thing = f"{fleet.names.fleet}-CORE0005"
    with running(root, fleet.environment()):
        wait_for((root / "config" / "identity.json").exists)
        wait_for(lambda: fleet.job_status(deployment, thing)[0] == "FAILED")
    assert "ARTIFACT_CHECKSUM_MISMATCH" in fleet.job_status(deployment, thing)[1]["deployment-failure-cause"]
    assert not (root / "packages" / "artifacts" / name / "1.0.0" / "hello.txt").exists()


def test_a_deployment_made_during_an_outage_arrives_when_the_link_is_back(fleet: Fleet, folder: Path) -> None:
    name = f"com.test.{fleet.names.fleet}"
    hello(fleet, name, "after the outage")
    cable = Cable(fleet.cloud.state.cloud.mqtt_port)
    root = fleet.root(folder, "CORE0006", mqtt_port=cable.port)
    thing = f"{fleet.names.fleet}-CORE0006"
    try:
        with running(root, fleet.environment()):
            wait_for(lambda: "connected to AWS IoT" in log(root, "greengrass"))
            cable.pull()
            wait_for(lambda: "the connection to AWS IoT is lost" in log(root, "greengrass"))
            deployment = fleet.deploy({name: "1.0.0"})
            cable.plug()
            wait_for(lambda: fleet.job_status(deployment, thing)[0] == "SUCCEEDED")
            assert "stdout. after the outage" in log(root, name)
    finally:
        cable.close()


def test_a_deployment_that_a_power_cut_interrupts_is_finished_after_the_boot(
    fleet: Fleet, folder: Path
) -> None:
    name = f"com.test.{fleet.names.fleet}"
    wait = "until [ -e go ]; do sleep 0.1; done"
    recipe = recipe_text(name, lifecycle={"install": wait, "run": "echo running; " + FOREVER})
    fleet.component(recipe)
    deployment = fleet.deploy({name: "1.0.0"})
    root = fleet.root(folder, "CORE0007")
    thing = f"{fleet.names.fleet}-CORE0007"
    with running(root, fleet.environment()) as core:
        wait_for(lambda: "install:" in log(root, name))
        assert fleet.job_status(deployment, thing)[0] == "IN_PROGRESS"
        power_cut(core)
    (root / "work" / name / "go").touch()
    with running(root, fleet.environment()):
        wait_for(lambda: fleet.job_status(deployment, thing)[0] == "SUCCEEDED")
        assert "stdout. running" in log(root, name)


def test_a_restart_with_another_pair_in_place_uses_that_one_and_misses_nothing(
    fleet: Fleet, folder: Path
) -> None:
    name = f"com.test.{fleet.names.fleet}"
    hello(fleet, name, "one")
    hello(fleet, name, "two", "1.1.0")
    first = fleet.deploy({name: "1.0.0"})
    root, thing = fleet.root(folder, "CORE0009"), f"{fleet.names.fleet}-CORE0009"
    with running(root, fleet.environment()):
        wait_for((root / "config" / "identity.json").exists)
        wait_for(lambda: fleet.job_status(first, thing)[0] == "SUCCEEDED")
    iot = fleet.cloud.client("iot")
    (old,) = iot.list_thing_principals(thingName=thing)["principals"]
    new = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=fleet.names.core_policy, target=new["certificateArn"])
    iot.attach_thing_principal(thingName=thing, principal=new["certificateArn"])
    iot.detach_thing_principal(thingName=thing, principal=old)
    iot.detach_policy(policyName=fleet.names.core_policy, target=old)
    iot.update_certificate(certificateId=old.rpartition("/")[2], newStatus="INACTIVE")
    (root / "thingCert.crt").write_text(new["certificatePem"])
    (root / "privKey.key").write_text(new["keyPair"]["PrivateKey"])
    with running(root, fleet.environment()):
        second = fleet.deploy({name: "1.1.0"})
        wait_for(lambda: fleet.job_status(second, thing)[0] == "SUCCEEDED")
        assert "stdout. two" in log(root, name)
