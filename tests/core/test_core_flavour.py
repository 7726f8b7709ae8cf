"""The flavour directory, and what the bootstrap calls of it, with a systemctl that only takes notes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from twin.core import build

FUNCTIONS = 'set -euo pipefail; . "$NUCLEUS_DIR/flavour.sh"; for name in "$@"; do "$name"; done'


@pytest.fixture(scope="module")
def flavour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("build") / "core")


@pytest.fixture
def machine(flavour: Path, tmp_path: Path) -> dict[str, str]:
    """A kit, and an environment in which nothing outside tmp_path changes."""
    kit, tools, units = tmp_path / "kit", tmp_path / "tools", tmp_path / "units"
    for folder in (kit, tools, units):
        folder.mkdir()
    for name in ("claim.pem.crt", "claim.private.key", "root-ca.pem"):
        (kit / name).write_text(f"{name}\n")
    (kit / "environment").write_text("AWS_ENDPOINT_URL=https://10.77.0.1\n")
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/systemctl\n')
    (tools / "systemctl").chmod(0o755)
    return {
        "PATH": f"{tools}:/usr/bin:/bin",
        "NUCLEUS_DIR": str(flavour),
        "KIT_DIR": str(kit),
        "GREENGRASS_ROOT": str(tmp_path / "greengrass" / "v2"),
        "CORE_UNIT_DIR": str(units),
        "SERIAL": "CORE0001",
        "REGION": "eu-west-1",
        "IOT_DATA_ENDPOINT": "data.iot.example",
        "IOT_CREDENTIALS_ENDPOINT": "credentials.iot.example",
        "PROVISIONING_TEMPLATE": "greentill-provisioning",
        "ROLE_ALIAS": "greentill-tills",
    }


def call(machine: dict[str, str], *functions: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", FUNCTIONS, "bash", *functions]
    return subprocess.run(command, env=machine, capture_output=True, text=True, check=False)


def said(tmp_path: Path) -> list[str]:
    return (tmp_path / "systemctl").read_text().splitlines()


def test_the_flavour_holds_what_a_machine_needs_and_is_made_once(flavour: Path) -> None:
    for name in (
        "flavour.sh",
        "greentill_core/__main__.py",
        "site/awscrt",
        "site/awsiot",
        "site/boto3",
        "digest",
    ):
        assert (flavour / name).exists()
    made = (flavour / "digest").stat().st_ino
    assert build(flavour) == flavour
    assert (flavour / "digest").stat().st_ino == made


def test_a_flavour_of_other_sources_is_made_again(flavour: Path) -> None:
    (flavour / "digest").write_text("of older sources")
    (flavour / "greentill_core" / "left_over.py").touch()
    build(flavour)
    assert not (flavour / "greentill_core" / "left_over.py").exists()


def test_installing_twice_restarts_nothing_the_second_time(machine: dict[str, str], tmp_path: Path) -> None:
    assert call(machine, "flavour_preflight", "flavour_install").returncode == 0
    assert said(tmp_path) == [
        "daemon-reload",
        "enable --quiet greengrass.service",
        "restart greengrass.service",
    ]
    root = Path(machine["GREENGRASS_ROOT"])
    assert root.stat().st_mode & 0o777 == 0o755
    assert (root / "claim-certs" / "claim.private.key").stat().st_mode & 0o777 == 0o600
    assert call(machine, "flavour_install").returncode == 0
    assert said(tmp_path)[-1] == "start greengrass.service"


def test_the_installed_core_starts_with_the_machines_own_python_and_reads_the_kits_settings(
    machine: dict[str, str],
) -> None:
    assert call(machine, "flavour_install").returncode == 0
    root = machine["GREENGRASS_ROOT"]
    script = (
        f"from pathlib import Path; from greentill_core.settings import load; print(load(Path('{root}')))"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", f"import greentill_core.nucleus; {script}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root}/core:{root}/core/site"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "serial='CORE0001'" in done.stdout, done.stderr
    unit = Path(machine["CORE_UNIT_DIR"], "greengrass.service").read_text()
    assert f"EnvironmentFile=-{root}/config/environment" in unit
    assert "network-online" not in unit


def test_a_till_counts_as_provisioned_only_with_name_and_certificate(machine: dict[str, str]) -> None:
    call(machine, "flavour_install")
    assert call(machine, "flavour_provisioned").returncode != 0
    root = Path(machine["GREENGRASS_ROOT"])
    (root / "config" / "identity.json").write_text("{}")
    assert call(machine, "flavour_provisioned").returncode != 0
    (root / "thingCert.crt").write_text("certificate")
    assert call(machine, "flavour_provisioned").returncode == 0


def test_a_provisioned_till_is_updated_without_its_claim(machine: dict[str, str]) -> None:
    call(machine, "flavour_install")
    root = Path(machine["GREENGRASS_ROOT"])
    (root / "config" / "identity.json").write_text("{}")
    (root / "thingCert.crt").write_text("certificate")
    (Path(machine["KIT_DIR"]) / "claim.private.key").unlink()
    assert call(machine, "flavour_install").returncode == 0


def test_uninstalling_leaves_nothing(machine: dict[str, str], tmp_path: Path) -> None:
    call(machine, "flavour_install")
    assert call(machine, "flavour_uninstall").returncode == 0
    assert not Path(machine["GREENGRASS_ROOT"]).exists()
    assert not list((tmp_path / "units").iterdir())


def test_a_kit_that_lacks_a_setting_is_named(machine: dict[str, str]) -> None:
    done = call({**machine, "ROLE_ALIAS": ""}, "flavour_preflight")
    assert done.returncode != 0
    assert "ROLE_ALIAS" in done.stderr
