"""A till on real arm64 Debian: packages, users, files and units, its faults, its wheels, and a sale.

Every program in these machines is an arm64 one that qemu runs, so this is slow; only the kernel isn't a Pi's.
The roots are made once, beside the others (twin/machines/arm64.py); after that nothing here needs a network.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from release.build import Built
from tests.bootstrap.faults import FAULTS, Fault
from tests.bootstrap.sound_till import SCRIPT, SoundTill, install
from tests.pos.pos_process import ASSIGNMENT, sale
from tests.release.conftest import build_in, clone
from twin.machines import Machine, reclaim
from twin.machines.arm64 import BUNDLE, SUITES, boot_cleanly, ensure_arm64_root

pytestmark = [pytest.mark.slow, pytest.mark.machine, pytest.mark.timeout(7200)]
LAUNCHER = Path(__file__).resolve().parents[2] / "edge_components" / "launcher.py"
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
TEN = (
    "operator-group",
    "home-missing",
    "path-mode",
    "state-owner",
    "work-owner",
    "artifact-mode",
    "unit-disabled",
    "key-mode",
    "root-sudo",
    "config-update-name",
)
UNPACKED = Path("/greengrass/v2/packages/artifacts-unarchived")
BULLSEYE = (
    'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\nID=debian\n'
)
# What an uninstall leaves besides packages: the log, the kit, what the system keeps, the stand-in's own.
LEFT = (
    "etc/hosts",
    "opt/aws-iot",
    "home/pi",
    "root",
    "tmp",
    "var/cache",
    "var/lib/dpkg",
    "var/lib/systemd",
    "var/log",
    "var/tmp",
    "etc/.pwd.lock",
    "etc/ld.so.cache",
    "etc/systemd/system/multi-user.target.wants",
    "etc/systemd/system/timers.target.wants/logrotate.timer",
    "var/lib/apt",
)


@dataclass(frozen=True)
class Userland:
    """One release's till, and the files that were there before it became one."""

    suite: str
    till: SoundTill
    before: set[str]

    @property
    def machine(self) -> Machine:
        return self.till.machine


@pytest.fixture(scope="module", params=SUITES)
def userland(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Userland]:
    suite = request.param
    work_dir = tmp_path_factory.mktemp(suite)
    machine = Machine("ARM0001", ensure_arm64_root(suite), work_dir)
    try:
        boot_cleanly(machine)
        before = files(machine)
        machine.copy_in(LAUNCHER, "/root/launcher.py")
        yield Userland(suite, install(machine, work_dir, "--offline-bundle", BUNDLE, seconds=1800), before)
    finally:
        reclaim(work_dir, erase=True)


def files(machine: Machine) -> set[str]:
    root = machine.path("/")
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def out(userland: Userland, *argv: str) -> str:
    return userland.machine.run(argv, timeout=600).stdout.strip()


def until(condition: Callable[[], Any], words: Callable[[], str]) -> None:
    deadline = time.monotonic() + 900
    while not condition():
        assert time.monotonic() < deadline, words()
        time.sleep(1)


def test_the_bootstrap_installs_packages_users_modes_and_units_that_are_real(userland: Userland) -> None:
    assert out(userland, "uname", "-m") == "aarch64"
    assert out(userland, "dpkg-query", "-W", "-f", "${Architecture}", "curl") == "arm64"
    assert PYTHON[userland.suite] in out(userland, "python3", "--version")
    assert "ggc_group" in out(userland, "id", "-nG", "pi")
    assert out(
        userland, "sudo", "-n", "-u", "ggc_user", "-g", "ggc_group", "-H", "sh", "-c", "cd && pwd"
    ) == ("/home/ggc_user")
    modes = out(userland, "stat", "-c", "%n %U:%G %a", "/greengrass", "/greengrass/v2", "/var/lib/greentill")
    assert modes.splitlines() == [
        "/greengrass root:root 755",
        "/greengrass/v2 root:root 755",
        "/var/lib/greentill ggc_user:ggc_group 2775",
    ]
    verified = userland.machine.run(["systemd-analyze", "verify", "greengrass.service"], timeout=600)
    assert (verified.returncode, verified.stderr) == (0, "")
    status, told = userland.till.bootstrap("--nucleus-dir", "/home/pi/nucleus")
    assert (status, "nothing was changed" in told) == (0, True), told


def test_doctor_finds_nothing_wrong_with_it(userland: Userland) -> None:
    assert userland.till.findings() == []


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if str(fault) in TEN], ids=str)
def test_each_of_ten_faults_is_found_and_mended_or_told(userland: Userland, fault: Fault) -> None:
    till = userland.till
    till.sh(fault.plant)
    found = till.codes()
    status, told = till.bootstrap("repair")
    till.sh(fault.undo or "true")
    assert found == {fault.code}
    if fault.safe:
        assert status == 0, told
        assert f"mended   {fault.code}" in told
        assert "nothing wrong" in told
    else:
        assert status == 1
        assert f"FAULT    {fault.code}" in told


def test_a_cold_boot_without_a_network_starts_what_was_enabled(userland: Userland) -> None:
    userland.machine.power_cut()
    boot_cleanly(userland.machine)
    assert out(userland, "systemctl", "is-active", "greengrass") == "active"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    folder = clone(tmp_path_factory.mktemp("clone"))
    return build_in(folder, folder / "dist")


def unpack(userland: Userland, built: Built, archive: str) -> Path:
    """Lay an artifact where the nucleus unpacks it; its path inside."""
    inside = UNPACKED / f"com.greentill.{built.component}" / built.version / Path(archive).stem
    outside = userland.machine.path(inside)
    with zipfile.ZipFile(built.folder / archive) as packed:
        packed.extractall(outside)
    userland.till.sh(f"chmod -R a+rX {UNPACKED.parent}")
    return inside


def start(userland: Userland, built: Built, runtime: str, **configuration: str) -> None:
    """Run a component as its recipe does, as ggc_user, in a transient unit."""
    name = built.component.lower()
    launcher = unpack(userland, built, f"{name}.zip") / "launcher.py"
    file = userland.machine.path(f"/etc/greentill/{name}.json")
    file.write_text(json.dumps(configuration))
    settings = {
        "GREENTILL_CONFIGURATION": f"/etc/greentill/{name}.json",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "https://127.0.0.1:9",
    }
    options = [f"--setenv={key}={value}" for key, value in settings.items()]
    command = ["python3", "-u", str(launcher), "--runtime", runtime, f"edge_components.{name}"]
    unit = ["systemd-run", f"--unit={name}", "--uid=ggc_user", "--gid=ggc_group", *options, *command]
    done = userland.machine.run(unit, timeout=600)
    assert done.returncode == 0, done.stderr


def ask(userland: Userland, path: str, *options: str) -> dict[str, Any]:
    told = out(userland, "curl", "--silent", "--max-time", "60", *options, f"http://127.0.0.1:8080{path}")
    answer: dict[str, Any] = json.loads(told) if told else {}
    return answer


def test_the_runtime_installs_from_its_wheels_and_the_till_sells(
    userland: Userland, dist: dict[str, Built]
) -> None:
    till, machine = userland.till, userland.machine
    till.sh("rm -rf /var/lib/greentill/runtime; systemctl stop till")
    version = dist["Runtime"].version
    unpack(userland, dist["Runtime"], "runtime-aarch64.zip")
    finding = next(finding for finding in till.findings() if finding["code"] == "runtime-missing")
    till.sh(finding["remedy"])
    ready = json.loads(machine.path(f"/var/lib/greentill/runtime/{version}/ready").read_text())
    assert ready["python"] == PYTHON[userland.suite]

    machine.path("/var/lib/greentill/assignment.json").write_text(json.dumps(ASSIGNMENT))
    till.sh("chown ggc_user:ggc_group /var/lib/greentill/assignment.json")
    start(userland, dist["Pos"], version)
    start(
        userland,
        dist["Sync"],
        version,
        thing="greentill-PI0001",
        region="eu-west-1",
        sales_table="sales",
        sales_bucket="sales",
        registry_table="registry",
    )

    def journal() -> str:
        return out(userland, "journalctl", "--no-pager", "-n", "60")

    until(lambda: ask(userland, "/v1/health").get("status") == "selling", journal)
    sold = ask(userland, "/v1/sales", "--json", json.dumps(sale()))
    assert sold["seq"] == 2
    assert ask(userland, "/v1/health")["records"] == 2
    until(lambda: machine.path("/var/lib/greentill/sync.db").exists(), journal)
    assert out(userland, "systemctl", "is-active", "sync", "pos") == "active\nactive"
    assert till.findings() == []


def test_bullseye_is_refused_with_the_reason(userland: Userland) -> None:
    release = userland.machine.path("/etc/os-release")
    text = release.read_text()
    release.unlink()
    release.write_text(BULLSEYE)
    status, told = userland.till.bootstrap("--nucleus-dir", "/home/pi/nucleus")
    release.write_text(text)
    assert status == 1
    assert "Debian 11 is not supported (11 has Python 3.9" in told


def test_an_uninstall_leaves_what_it_says_and_nothing_else(userland: Userland) -> None:
    userland.machine.run(["systemctl", "stop", "pos", "sync"], timeout=600)
    kept = userland.machine.path("/var/lib/greentill/ledger.db").read_bytes()
    status, told = userland.till.bootstrap("uninstall", "--keep-ledger")
    assert status == 0, told
    assert userland.machine.path("/var/lib/greentill/ledger.db").read_bytes() == kept
    status, told = userland.till.bootstrap("uninstall", "--discard-sales")
    assert status == 0, told
    assert "left     the packages and the log" in told
    lists = userland.machine.path("/var/lib/dpkg/info").glob("*.list")
    packaged = {line.lstrip("/") for one in lists for line in one.read_text().splitlines()}
    packaged |= {f"usr/{path}" for path in packaged}  # /lib leads to /usr/lib
    left = {
        path for path in files(userland.machine) - userland.before if "__pycache__" not in path
    } - packaged
    assert {path for path in left if not path.startswith(LEFT)} == set()
    assert out(userland, "getent", "passwd", "ggc_user") == ""
    assert shutil.which("systemctl", path=str(userland.machine.path("/usr/bin")))
    assert userland.machine.path(SCRIPT).exists()
