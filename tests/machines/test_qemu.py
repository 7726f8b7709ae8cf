"""The qemu of arm64 machines comes from Debian's archive, whole and signed, and the kernel runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twin.machines import MachineError, qemu
from twin.machines.roots import cache_dir

pytestmark = [pytest.mark.machine, pytest.mark.slow, pytest.mark.timeout(900)]

EMULATE = "from twin.machines.qemu import emulate; emulate(lambda line: print(line, flush=True))"


def emulate(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", EMULATE], stdout=subprocess.PIPE, text=True, env=environment
    )


def entries() -> set[str]:
    return {entry.name for entry in qemu.BINFMT.iterdir()}


def test_two_at_once_fetch_one_and_the_kernel_is_told_once(tmp_path: Path) -> None:
    qemu.emulate()
    before = entries()
    first, second = emulate(tmp_path), emulate(tmp_path)
    said = [process.communicate()[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "".join(said).count("Fetching") == 1
    folder = tmp_path / "greentill" / "qemu"
    assert {entry.name for entry in folder.iterdir()} == {"qemu-aarch64", "probe", "lock"}
    assert entries() == before


def test_arm64_programs_are_run_by_one_that_knows_what_systemd_asks_for() -> None:
    qemu.emulate()
    probe = cache_dir().parent / "qemu" / "probe"
    said = subprocess.run(
        [probe], env={"QEMU_VERSION": "1"}, capture_output=True, text=True, check=True, timeout=300
    ).stdout
    assert int(said.split("version ")[1].split(".")[0]) >= 10


def test_a_package_that_debian_has_not_signed_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = tmp_path / "nobody.gpg"
    keyring.touch()
    monkeypatch.setattr(qemu, "KEYRING", keyring)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MachineError, match="is not signed"):
        qemu.emulate()
    assert {entry.name for entry in (tmp_path / "greentill" / "qemu").iterdir()} == {"lock"}
