"""What the bootstrap refuses before it changes anything, and the reason it gives."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bootstrap.kit_folder import write_flavour, write_kit

SCRIPTS = Path(__file__).resolve().parents[2] / "pi_bootstrap"
BOOKWORM = 'ID=debian\nVERSION_ID="12"\n'


def dry_run(
    tmp_path: Path, kit: Path, *, system: str = BOOKWORM, machine: str = "aarch64"
) -> tuple[int, str]:
    tools = tmp_path / "tools"
    if not tools.exists():
        tools.mkdir()
        write_flavour(tmp_path / "nucleus")
    for name, body in {
        "id": '[ "$1" = -u ] && echo 0 || exec /usr/bin/id "$@"',
        "uname": f"echo {machine}",
        "curl": "exit 0",  # the network is tried in test_preflight_on_machine
        "getent": "exit 0",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    if not shutil.which("systemctl"):
        (tools / "systemctl").symlink_to("/bin/true")
    (tmp_path / "os-release").write_text(system)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "OS_RELEASE": str(tmp_path / "os-release"),
        "ETC_DIR": str(tmp_path / "etc"),
        "STATE_DIR": str(tmp_path / "state"),
        "GREENGRASS_ROOT": str(tmp_path / "greengrass" / "v2"),
        "UNIT_DIR": str(tmp_path / "units"),
        "JOURNALD_DIR": str(tmp_path / "journald"),
        "LOG_FILE": str(tmp_path / "log"),
    }
    arguments = ["--dry-run", "--kit", str(kit), "--nucleus-dir", str(tmp_path / "nucleus")]
    done = subprocess.run(
        [SCRIPTS / "pi_bootstrap.sh", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path: Path):
    status, told = dry_run(tmp_path, write_kit(tmp_path / "kit"))
    assert status == 0, told
    assert "would    install the nucleus" in told
    assert {path.name for path in tmp_path.iterdir()} == {"kit", "tools", "nucleus", "os-release"}


@pytest.mark.parametrize("name", ["till.conf", "claim.private.key", "lib/say.sh", "root-ca.pem"])
def test_a_kit_with_a_changed_file_is_refused_and_the_file_named(tmp_path: Path, name: str):
    kit = write_kit(tmp_path / "kit")
    with (kit / name).open("a") as file:
        file.write("x")
    status, told = dry_run(tmp_path, kit)
    assert status == 1
    assert "damaged or was changed" in told
    assert name in told


def test_a_kit_without_its_sums_is_refused(tmp_path: Path):
    kit = write_kit(tmp_path / "kit")
    (kit / "SHA256SUMS").unlink()
    status, told = dry_run(tmp_path, kit)
    assert (status, "not copied whole" in told) == (1, True)


def test_settings_are_data_and_never_run(tmp_path: Path):
    kit = write_kit(tmp_path / "kit", REGION=f"$(touch {tmp_path}/ran)")
    status, told = dry_run(tmp_path, kit)
    assert status == 1
    assert "REGION has a value that can't be right" in told
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("system", "machine", "reason"),
    [
        ('ID=debian\nVERSION_ID="11"\n', "aarch64", "Debian 11 is not supported (11 has Python 3.9"),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "aarch64", "ubuntu is not supported"),
        (BOOKWORM, "armv7l", "32-bit system"),
        (BOOKWORM, "riscv64", "riscv64 is not supported"),
    ],
)
def test_an_unsupported_system_is_refused_with_what_to_do(
    tmp_path: Path, system: str, machine: str, reason: str
):
    status, told = dry_run(tmp_path, write_kit(tmp_path / "kit"), system=system, machine=machine)
    assert status == 1
    assert reason in told
    assert "would" not in told


def test_an_unknown_option_stops_it(tmp_path: Path):
    done = subprocess.run(
        [SCRIPTS / "pi_bootstrap.sh", "--dryrun"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "I don't know --dryrun" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--keep-ledger"], "go with uninstall only"),
        (["repair", "--discard-sales"], "go with uninstall only"),
        (["uninstall", "--keep-ledger", "--discard-sales"], "decide for one"),
    ],
)
def test_what_is_to_become_of_sales_is_told_to_uninstall_only_and_once(
    arguments: list[str], says: str
) -> None:
    done = subprocess.run(
        [SCRIPTS / "pi_bootstrap.sh", *arguments, "--dry-run"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert says in done.stderr
