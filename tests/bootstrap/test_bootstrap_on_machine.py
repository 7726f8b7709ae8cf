"""The bootstrap on a booting Debian machine: users, modes, units, a second run, another till, uninstall."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bootstrap import aws_iot
from tests.bootstrap.kit_folder import write_flavour, write_kit
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
SCRIPT = ["sudo", "HEALTH_SECONDS=1", "PROVISION_SECONDS=3", "/home/pi/kit/pi_bootstrap.sh"]
FLAVOUR = ["--nucleus-dir", "/home/pi/nucleus"]


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bootstrap")


@pytest.fixture(scope="module")
def machine(work_dir: Path) -> Iterator[Machine]:
    till = Machine("BOOT0001", ensure_root(), work_dir)
    try:
        till.boot()
        aws_iot.begin(till, work_dir)
        till.copy_in(write_kit(work_dir / "kit"), "/home/pi/kit")
        till.copy_in(write_flavour(work_dir / "nucleus"), "/home/pi/nucleus")
        yield till
    finally:
        reclaim(work_dir, erase=True)


def said(machine: Machine, *arguments: str, status: int = 0) -> str:
    done = machine.run([*SCRIPT, *arguments], user="pi", timeout=280)
    told = done.stdout + done.stderr
    assert done.returncode == status, told
    return told


def out(machine: Machine, *argv: str) -> str:
    return machine.run(list(argv)).stdout.strip()


def test_a_till_is_made_kept_and_unmade(machine: Machine, work_dir: Path) -> None:
    planned = said(machine, "--dry-run", *FLAVOUR)
    assert "would    add user ggc_user" in planned
    assert out(machine, "getent", "passwd", "ggc_user") == ""

    first = said(machine, *FLAVOUR)
    assert "provisioned as greentill-PI0001" in first
    assert "pi: log out and in again" in first
    assert "doesn't answer on http://127.0.0.1:8080 yet" in first
    assert out(machine, "stat", "-c", "%U:%G %a", "/var/lib/greentill") == "ggc_user:ggc_group 2775"
    assert out(machine, "stat", "-c", "%a", "/greengrass", "/greengrass/v2") == "755\n755"
    assert out(machine, "stat", "-c", "%U %a", "/var/log/greentill/bootstrap.log") == "root 640"
    assert out(machine, "stat", "-c", "%a", "/etc/greentill/environment") == "600"
    assert "ggc_group" in out(machine, "id", "-nG", "pi")
    assert out(machine, "sudo", "-u", "ggc_user", "-g", "ggc_group", "groups") == "ggc_group lp"
    assert out(machine, "sudo", "-u", "ggc_user", "-H", "sh", "-c", "cd && pwd") == "/home/ggc_user"
    assert out(machine, "systemctl", "is-enabled", "greengrass") == "enabled"
    shown = out(machine, "systemctl", "show", "-p", "EnvironmentFiles", "greengrass")
    assert "/etc/greentill/environment" in shown
    log = out(machine, "cat", "/var/log/greentill/bootstrap.log")
    assert "PRIVATE-KEY-TEXT" not in log
    for secret in ("s3cret", "TOKEN-TEXT", "BEGIN"):
        assert secret not in log
    for copy in ("/greengrass/v2/claim-certs", "/home/pi/kit"):
        assert "claim.private.key" not in out(machine, "ls", copy)

    assert "nothing was changed" in said(machine, *FLAVOUR)
    doctor = said(machine, "doctor", status=1)
    assert "FAULT    till-silent: the till doesn't answer" in doctor

    machine.power_cut()
    machine.boot()
    assert out(machine, "systemctl", "is-active", "greengrass") == "active"

    machine.copy_in(
        write_kit(work_dir / "other", SERIAL="PI0002", THING="greentill-PI0002"), "/home/pi/other"
    )
    refused = said(machine, "--kit", "/home/pi/other", *FLAVOUR, status=1)
    assert "this Pi is greentill-PI0001 already" in refused

    machine.run(["sh", "-c", "cd /var/lib/greentill && echo sold >ledger.db && touch assignment.json"])
    refused = said(machine, "uninstall", status=1)
    assert "records of the ledger have not reached the cloud" in refused
    assert out(machine, "systemctl", "is-active", "greengrass") == "active"
    outbox = "/var/lib/greentill/outbox"
    machine.run(
        ["sh", "-c", f"install -d -o ggc_user -g ggc_group {outbox} && echo '{{}}' >{outbox}/told.json"]
    )
    said(machine, "uninstall", "--keep-ledger")
    assert out(machine, "ls", "/var/lib/greentill").split() == ["ledger.db", "outbox"]
    assert out(machine, "ls", outbox) == "told.json"
    assert out(machine, "ls", "/etc/greentill", "/greengrass/v2") == ""
    refused = said(machine, "uninstall", status=1)
    assert f"{outbox} holds files that have not reached the cloud (1)" in refused
    said(machine, "uninstall", "--discard-sales")
    assert out(machine, "getent", "passwd", "ggc_user") == ""
    gone = "/var/lib/greentill /home/ggc_user /greengrass /etc/systemd/journald.conf.d"
    assert out(machine, "sh", "-c", f"ls -d {gone} /etc/systemd/system/greengrass*") == ""
    left = "find /etc /usr/local /run /var/cache /greengrass -name '*greentill*' ! -path '/etc/dpkg/*' 2>&-"
    assert out(machine, "sh", "-c", left) == ""
    assert "masked" not in out(machine, "systemctl", "list-units", "--all", "greentill*")


def test_a_till_that_is_not_provisioned_in_time_stops_and_shows_why(machine: Machine, work_dir: Path) -> None:
    machine.copy_in(write_kit(work_dir / "late"), "/home/pi/late")
    machine.run(["touch", "/home/pi/nucleus/never"])
    told = said(machine, "--kit", "/home/pi/late", *FLAVOUR, status=1)
    assert "no answer from AWS IoT" in told
    assert "greengrass.service is stopped" in told
    assert "AccessDenied there means that the cloud refused this kit" in told
    assert out(machine, "systemctl", "is-active", "greengrass") == "inactive"
    assert "claim.private.key" in out(machine, "ls", "/home/pi/late")
    machine.run(["rm", "/home/pi/nucleus/never"])
    assert "provisioned as greentill-PI0001" in said(machine, "--kit", "/home/pi/late", *FLAVOUR)


@pytest.mark.slow  # the bootstrap asks AWS IoT for half a minute
def test_the_claims_key_stays_until_aws_iot_accepts_the_new_certificate(
    machine: Machine, work_dir: Path
) -> None:
    machine.copy_in(write_kit(work_dir / "early"), "/home/pi/early")
    machine.run(["rm", "-f", "/home/pi/nucleus/never"])
    digest = "openssl x509 -in /home/pi/nucleus/certificate.pem -outform DER | sha256sum"
    machine.run(["sh", "-c", f"{digest} >{aws_iot.FOLDER}/inactive"])
    told = said(machine, "--kit", "/home/pi/early", *FLAVOUR)
    assert "AWS IoT doesn't accept the new certificate yet, so the claim's key stays" in told
    assert "claim.private.key" in out(machine, "ls", "/home/pi/early")
    assert "403" in out(machine, "grep", "^curl:", "/var/log/greentill/bootstrap.log")

    machine.run(["sh", "-c", f": >{aws_iot.FOLDER}/inactive"])
    said(machine, "--kit", "/home/pi/early", *FLAVOUR)
    for copy in ("/greengrass/v2/claim-certs", "/home/pi/early"):
        assert "claim.private.key" not in out(machine, "ls", copy)
