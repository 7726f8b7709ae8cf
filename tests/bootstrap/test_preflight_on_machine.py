"""Preflight on a booted machine: time and network; and a cold boot that has neither."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bootstrap import aws_iot
from tests.bootstrap.kit_folder import write_flavour, write_kit
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
SCRIPT = ["env", "SUDO_USER=pi", "HEALTH_SECONDS=0", "CLOCK_WAIT_SECONDS=3", "bash"]

WAIT = "/etc/systemd/system/systemd-time-wait-sync.service"
WAITS_FOR_EVER = """\
[Unit]
ConditionVirtualization=
ConditionCapability=
[Service]
ExecStart=
ExecStart=/bin/sleep infinity
"""
CONFIG = "/greengrass/v2/config/effectiveConfig.yaml"
UNDO = """\
[ ! -e /root/hosts ] || mv /root/hosts /etc/hosts
systemctl start aws-iot
rm -rf /greengrass /etc/systemd/system/greengrass.service
[ ! -e /root/s ] || mv /root/s /etc/sudoers
! findmnt -n -o OPTIONS --target /tmp | grep -q noexec || umount /tmp
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    work_dir = tmp_path_factory.mktemp("preflight")
    machine = Machine("FLIGHT01", ensure_root(), work_dir)
    try:
        machine.boot()
        aws_iot.begin(machine, work_dir)
        machine.copy_in(write_kit(work_dir / "kit"), "/home/pi/kit")
        machine.copy_in(write_flavour(work_dir / "nucleus"), "/home/pi/nucleus")
        yield machine
    finally:
        reclaim(work_dir, erase=True)


@pytest.fixture
def sound(machine: Machine) -> Iterator[Machine]:
    """The machine; whatever a test spoils is put right."""
    yield machine
    out(machine, UNDO)


def bootstrap(machine: Machine, *options: str, kit: str = "/home/pi/kit") -> tuple[int, str]:
    command = [*SCRIPT, f"{kit}/pi_bootstrap.sh", "--nucleus-dir", "/home/pi/nucleus", *options]
    done = machine.run(command, timeout=300)
    return done.returncode, done.stdout + done.stderr


def out(machine: Machine, script: str) -> str:
    done = machine.run(["sh", "-c", script])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def refused(machine: Machine, *reasons: str, kit: str = "/home/pi/kit") -> None:
    """Each reason is told, in one run, and nothing was changed."""
    status, told = bootstrap(machine, kit=kit)
    assert status == 1, told
    for reason in reasons:
        assert reason in told
    assert f"{len(reasons)} problem(s) above; nothing was changed" in told
    assert out(machine, "getent passwd ggc_user || true") == ""


def with_file(machine: Machine, name: str, content: str) -> str:
    """A copy of the kit in which one file says something else, as its sums know; its folder."""
    out(machine, "rm -rf /home/pi/other && cp -a /home/pi/kit /home/pi/other")
    done = machine.run(["tee", f"/home/pi/other/{name}"], stdin=content)
    assert done.returncode == 0
    out(
        machine,
        f"cd /home/pi/other && sed -i '/  {name}$/d' SHA256SUMS && sha256sum {name} >>SHA256SUMS",
    )
    return "/home/pi/other"


def test_each_port_that_is_closed_is_named(sound: Machine) -> None:
    out(sound, "systemctl stop aws-iot")
    refused(
        sound,
        "data.iot.test can't be reached on port 8883",
        "data.iot.test can't be reached on port 8443",
        "credentials.iot.test can't be reached on port 443",
    )


def test_each_name_that_is_not_known_is_told_once(sound: Machine) -> None:
    out(sound, "cp /etc/hosts /root/hosts && sed -i '/iot.test/d' /etc/hosts")
    refused(
        sound,
        "the name data.iot.test is not known here (DNS)",
        "the name credentials.iot.test is not known here (DNS)",
    )


def test_who_inspects_tls_is_noticed(sound: Machine) -> None:
    other = "/etc/ssl/certs/ca-certificates.crt"
    kit = with_file(sound, "root-ca.pem", out(sound, f"cat {other}"))
    refused(
        sound,
        "data.iot.test on port 8883 shows another certificate",
        "data.iot.test on port 8443 shows another certificate",
        "credentials.iot.test on port 443 shows another certificate",
        kit=kit,
    )


def test_a_proxy_that_is_not_there_is_told(sound: Machine) -> None:
    kit = with_file(sound, "environment", "HTTPS_PROXY=http://user:s3cret@127.0.0.9:3128\n")
    status, told = bootstrap(sound, kit=kit)
    assert status == 1
    assert "credentials.iot.test can't be reached on port 443 through the kit's proxy" in told
    assert "s3cret" not in told + out(sound, "cat /var/log/greentill/bootstrap.log")
    kit = with_file(sound, "environment", "HTTPS_PROXY=proxy\n")
    assert "the kit's HTTPS_PROXY is no address" in bootstrap(sound, kit=kit)[1]


def test_a_clock_before_the_kit_is_told_with_all_else(sound: Machine) -> None:
    tomorrow = aws_iot.authority().issue("claim", begins=2 * aws_iot.DAY).certificate
    kit = with_file(sound, "claim.pem.crt", tomorrow)
    out(sound, "systemctl stop aws-iot && mkdir -p /greengrass/ggc")
    refused(
        sound,
        "but this kit was made on",
        "data.iot.test can't be reached on port 8883",
        "data.iot.test can't be reached on port 8443",
        "credentials.iot.test can't be reached on port 443",
        "Greengrass V1 is installed here",
        kit=kit,
    )


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (
            f"install -D /dev/stdin {CONFIG} <<'E'\n  thingName: somebody\nE",
            "a Greengrass core named somebody is installed",
        ),
        ("echo >/etc/systemd/system/greengrass.service", "another Greengrass is installed here"),
        ("mount -t tmpfs -o noexec tmpfs /tmp", "can't be run (noexec)"),
        (
            "cp /etc/sudoers /root/s; sed -i '/^root/d' /etc/sudoers",
            "root may not act as others through sudo",
        ),
    ],
)
def test_what_would_break_the_till_is_refused(sound: Machine, plant: str, reason: str) -> None:
    out(sound, plant)
    refused(sound, reason)


def test_a_cold_boot_without_network_and_time_starts_the_nucleus(machine: Machine) -> None:
    # Debian's own unit, as on a Pi without network; in a container its program would end at once.
    done = machine.run(["sh", "-c", f"mkdir -p {WAIT}.d && cat >{WAIT}.d/here.conf"], stdin=WAITS_FOR_EVER)
    assert done.returncode == 0
    out(machine, "systemctl daemon-reload && systemctl enable systemd-time-wait-sync.service")
    assert out(machine, "systemctl show -p TimeoutStartUSec --value systemd-time-wait-sync") == "infinity"
    status, told = bootstrap(machine)
    assert status == 0, told
    aws_iot.end(machine)
    machine.power_cut()
    machine.boot()
    assert out(machine, "systemctl show -p Result --value systemd-time-wait-sync") == "timeout"
    assert "time-sync.target" in out(machine, "systemctl show -p After --value greengrass").split()
    assert out(machine, "systemctl is-active greengrass greentill-helper.path") == "active\nactive"
    assert out(machine, "systemctl is-enabled fake-hwclock") == "enabled"

    status, told = bootstrap(machine)
    assert status == 0, told
    assert "note     the name data.iot.test is not known here" in told
    assert "nothing was changed" in told
    assert out(machine, "logrotate --debug /etc/logrotate.conf 2>&1 | grep -c bootstrap.log") != "0"
    log = out(machine, "cat /var/log/greentill/bootstrap.log")
    for secret in ("PRIVATE-KEY-TEXT", "s3cret", "TOKEN-TEXT", "BEGIN"):
        assert secret not in log
