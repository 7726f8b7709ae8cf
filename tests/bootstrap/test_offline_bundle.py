"""A till made from a bundle, without a way to Debian's mirrors or AWS's downloads: nucleus lite is in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bootstrap import aws_iot, lite_package
from tests.bootstrap.kit_folder import TILL, write_kit
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
SCRIPT = ["env", "SUDO_USER=pi", "HEALTH_SECONDS=0", "bash", "/home/pi/kit/pi_bootstrap.sh"]
BUNDLE = "/media/bundle"


def architecture() -> str:
    return subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a kit for nucleus lite; nothing but AWS IoT can be reached from it."""
    work_dir = tmp_path_factory.mktemp("bundle")
    machine = Machine("BUNDLE01", ensure_root(), work_dir)
    try:
        machine.boot()
        aws_iot.begin(machine, work_dir)
        kit = write_kit(work_dir / "kit", NUCLEUS="lite", NUCLEUS_VERSION="2.6.0")
        machine.copy_in(kit, "/home/pi/kit")
        identity = aws_iot.authority().issue(TILL["THING"])
        for name, content in {
            "certificate.pem": identity.certificate,
            "private.key": identity.private_key,
        }.items():
            (work_dir / name).write_text(content)
            machine.copy_in(work_dir / name, f"/home/pi/identity/{name}")
        yield machine
    finally:
        reclaim(work_dir, erase=True)


def run(machine: Machine, *arguments: str) -> tuple[int, str]:
    done = machine.run([*SCRIPT, *arguments], timeout=600)
    return done.returncode, done.stdout + done.stderr


def out(machine: Machine, script: str) -> str:
    done = machine.run(["sh", "-c", script])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def write_bundle(folder: Path) -> Path:
    """A bundle that stands in for logrotate, with a package that it depends on and one that nobody needs."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    lite_package.build_lite(folder, architecture())
    lite_package.build(packages, "logrotate", {"usr/share/probe": "1"}, more="Depends: probe-data\n")
    lite_package.build(packages, "probe-data", {"usr/share/probe-data": "1"})
    lite_package.build(packages, "nobody-needs", {"usr/share/nobody-needs": "1"})
    lite_package.write_sums(folder)
    return folder


def test_a_till_with_nucleus_lite_is_made_from_a_bundle_and_unmade(machine: Machine, tmp_path: Path) -> None:
    out(machine, "dpkg --purge logrotate")
    machine.copy_in(write_bundle(tmp_path / "bundle"), BUNDLE)

    for spoil, reason in (
        ("echo x >>{}/packages/probe-data_2.6.0_all.deb", "is damaged or was changed"),
        ("touch {}/packages/more.deb", "more.deb, which its SHA256SUMS doesn't list"),
    ):
        out(machine, f"cp -a {BUNDLE} {BUNDLE}.good && {spoil.format(BUNDLE)}")
        status, told = run(machine, "--offline-bundle", BUNDLE)
        assert (status, reason in told) == (1, True), told
        assert "done " not in told
        out(machine, f"rm -rf {BUNDLE} && mv {BUNDLE}.good {BUNDLE}")

    status, told = run(machine, "--offline-bundle", BUNDLE)
    assert status == 0, told
    assert "install packages from the bundle: logrotate" in told
    present = out(machine, "dpkg-query -W -f '${Package}\\n'").split("\n")
    assert {"logrotate", "probe-data", "aws-greengrass-lite"} <= set(present)
    assert "nobody-needs" not in present
    assert out(machine, "systemctl is-active ggl.core greengrass") == "active\nactive"
    assert out(machine, "ls /greengrass/v2/claim-certs") == "claim.pem.crt"
    assert "claim.private.key" not in out(machine, "ls /home/pi/kit")
    assert "nothing was changed" in run(machine, "--offline-bundle", BUNDLE)[1]

    before = out(machine, "systemctl show -p InvocationID --value ggl.core")
    out(machine, "systemctl restart greengrass")
    out(
        machine,
        f'until [ "$(systemctl show -p InvocationID --value ggl.core)" != {before} ] &&'
        " systemctl is-active --quiet ggl.core; do sleep 0.1; done",
    )
    status, told = run(machine, "uninstall")
    assert status == 0, told
    assert out(machine, "ls -d /var/lib/greengrass /etc/greengrass/config.yaml 2>/dev/null || true") == ""


def test_lite_is_refused_when_it_is_not_the_package_that_was_named(machine: Machine, tmp_path: Path) -> None:
    package = lite_package.build_lite(tmp_path, architecture())
    flavour = Path(__file__).resolve().parents[2] / "pi_bootstrap"
    call = f"source {flavour}/lib/download.sh; source {flavour}/flavours/lite.sh; lite_package {tmp_path}/got"
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    for named, status in ((digest, 0), ("0" * 64, 1)):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", call],
            env={
                "PATH": os.environ["PATH"],
                "NUCLEUS_VERSION": "2.6.0",
                "NUCLEUS_MIRROR": f"file://{tmp_path}",
                "DOWNLOAD_DIR": str(tmp_path / "downloads"),
                "LITE_SHA256": named,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        assert ("not the one that LITE_SHA256 names" in done.stderr) == (status == 1)


@pytest.mark.slow
def test_make_bundle_fetches_all_that_a_bare_machine_lacks(tmp_path: Path) -> None:
    package = lite_package.build_lite(tmp_path, architecture())
    kit = write_kit(tmp_path / "kit", NUCLEUS="lite", NUCLEUS_VERSION="2.6.0")
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    done = subprocess.run(
        ["bash", kit / "make_bundle.sh", "--out", tmp_path / "bundle"],
        env=os.environ | {"NUCLEUS_MIRROR": f"file://{tmp_path}", "LITE_SHA256": digest},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name.split("_")[0] for path in (tmp_path / "bundle" / "packages").iterdir()}
    assert {"logrotate", "fake-hwclock", "curl", "python3", "libc6", "sudo"} <= names
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "bundle", check=False
    )
    assert checked.returncode == 0

    machine = Machine("BUNDLE02", ensure_root(), tmp_path)
    try:
        machine.boot()
        out(machine, "dpkg --purge logrotate fake-hwclock systemd-timesyncd")
        aws_iot.begin(machine, tmp_path)
        machine.copy_in(kit, "/home/pi/kit")
        machine.copy_in(tmp_path / "bundle", BUNDLE)
        identity = aws_iot.authority().issue(TILL["THING"])
        (tmp_path / "certificate.pem").write_text(identity.certificate)
        (tmp_path / "private.key").write_text(identity.private_key)
        for name in ("certificate.pem", "private.key"):
            machine.copy_in(tmp_path / name, f"/home/pi/identity/{name}")
        status, told = run(machine, "--offline-bundle", BUNDLE)
        assert status == 0, told
        assert "install packages from the bundle: logrotate fake-hwclock" in told
        assert "the clock goes on after a restart without a network" in told
    finally:
        reclaim(tmp_path, erase=True)
