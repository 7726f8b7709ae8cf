"""A till's packages: installed without a network, whole or not at all, kept while something uses them."""

from __future__ import annotations

import fcntl
import os
import platform
import subprocess
import zipfile
from pathlib import Path

import pytest

from release.build import Built
from tests.release.small_runtime import TAG, install, small


@pytest.fixture(scope="session")
def artifact(shared_dist: dict[str, Built], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Runtime's artifact as a nucleus unpacks it on this machine."""
    folder = tmp_path_factory.mktemp("runtime")
    zipfile.ZipFile(shared_dist["Runtime"].folder / f"runtime-{platform.machine()}.zip").extractall(folder)
    return folder


@pytest.fixture(scope="session")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("runtimes")
    done = install(artifact, into)
    assert done.returncode == 0, done.stderr
    return into


def test_the_packages_import_in_the_environment_that_was_built(installed: Path) -> None:
    python = installed / "1.0.0" / "venv" / "bin" / "python"
    script = "import apsw, argon2, botocore, fastapi, segno, uvloop; print(apsw.__file__)"
    done = subprocess.run([str(python), "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(installed)), done.stderr


def test_a_second_installation_changes_nothing(artifact: Path, installed: Path) -> None:
    before = (installed / "1.0.0").stat()
    done = install(artifact, installed)
    assert (done.returncode, "installed already" in done.stderr) == (0, True)
    assert (installed / "1.0.0").stat() == before


def test_after_a_power_cut_the_installation_begins_again(tmp_path: Path) -> None:
    artifact, into = small(tmp_path / "a"), tmp_path / "into"
    left = into / ".building-1.0.0" / "venv"
    left.mkdir(parents=True)
    (left / "half").touch()
    assert install(artifact, into).returncode == 0
    assert (into / "1.0.0" / "ready").exists()
    assert not (into / "1.0.0" / "venv" / "half").exists()
    assert not (into / ".building-1.0.0").exists()


def test_a_folder_without_its_mark_is_replaced(tmp_path: Path) -> None:
    artifact, into = small(tmp_path / "a"), tmp_path / "into"
    (into / "1.0.0").mkdir(parents=True)
    (into / "1.0.0" / "stray").touch()
    assert install(artifact, into).returncode == 0
    assert not (into / "1.0.0" / "stray").exists()


def test_a_changed_wheel_is_refused_and_no_mark_is_set(tmp_path: Path) -> None:
    artifact, into = small(tmp_path / "a"), tmp_path / "into"
    with next((artifact / "wheels").iterdir()).open("ab") as wheel:
        wheel.write(b"x")
    done = install(artifact, into)
    assert done.returncode == 1
    assert "differs from what was published" in done.stderr
    assert not (into / "1.0.0").exists()


def test_packages_that_do_not_import_are_not_ready(tmp_path: Path) -> None:
    done = install(small(tmp_path / "a", uvloop="raise ImportError('wrong machine')"), tmp_path / "into")
    assert done.returncode == 1
    assert "wrong machine" in done.stderr
    assert not (tmp_path / "into" / "1.0.0").exists()


def test_a_python_without_wheels_is_named(tmp_path: Path) -> None:
    artifact = small(tmp_path / "a")
    (artifact / "wheels.json").write_text('{"2.7": []}')
    done = install(artifact, tmp_path / "into")
    assert done.returncode == 1
    assert f"for Python 2.7, and python3 is {TAG}" in done.stderr


def test_what_something_runs_with_stays_and_the_oldest_others_go(tmp_path: Path) -> None:
    artifact, into = small(tmp_path / "a"), tmp_path / "into"
    for number, version in enumerate(("1.0.0", "1.1.0", "1.2.0", "1.3.0")):
        (into / version).mkdir(parents=True)
        (into / version / "ready").touch()
        os.utime(into / version, (number, number))
    with (into / "1.0.0" / "ready").open() as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        assert install(artifact, into, "2.0.0").returncode == 0
    kept = sorted(path.name for path in into.iterdir() if not path.name.startswith("."))
    assert kept == ["1.0.0", "1.2.0", "1.3.0", "2.0.0"]
