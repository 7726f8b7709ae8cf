"""A till's packages: installed without a network, whole or not at all, kept while something uses them."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from edge_components import launcher
from release.build import Built
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "edge_components" / "launcher.py"
TAG = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="session")
def artifact(shared_dist: dict[str, Built], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Runtime's artifact as a nucleus unpacks it on this machine."""
    folder = tmp_path_factory.mktemp("runtime")
    zipfile.ZipFile(shared_dist["Runtime"].folder / f"runtime-{platform.machine()}.zip").extractall(folder)
    return folder


def install(artifact: Path, into: Path, version: str = "1.0.0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-u", str(artifact / "install.py"), "--version", version, "--into", str(into)]
    environment = {
        "PATH": os.environ["PATH"],
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=environment)


@pytest.fixture(scope="session")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("runtimes")
    done = install(artifact, into)
    assert done.returncode == 0, done.stderr
    return into


def small(folder: Path, **changes: str) -> Path:
    """An artifact with one small wheel that stands for every package that is tried."""
    (folder / "wheels").mkdir(parents=True)
    wheel = folder / "wheels" / "all-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("apsw", "argon2", "fastapi", "httptools", "segno", "uvicorn", "uvloop"):
            archive.writestr(f"all-1.data/purelib/{name}.py", changes.get(name, ""))
        archive.writestr("boto3/session.py", "")
        archive.writestr("all-1.data/scripts/tool", "#!python")
    import hashlib

    entry = {"file": wheel.name, "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    (folder / "wheels.json").write_text(json.dumps({TAG: [entry]}))
    (folder / "install.py").write_text((ROOT / "edge_components" / "runtime" / "install.py").read_text())
    return folder


def test_the_packages_import_in_the_environment_that_was_built(installed: Path) -> None:
    python = installed / "1.0.0" / "venv" / "bin" / "python"
    script = "import apsw, argon2, boto3, fastapi, segno, uvloop; print(apsw.__file__)"
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


@pytest.fixture
def component(tmp_path: Path) -> Path:
    """A folder as an artifact unpacks to: the launcher and a component that says how it was started."""
    folder = tmp_path / "component"
    package = folder / "edge_components" / "probe"
    package.mkdir(parents=True)
    (folder / "edge_components" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os, sys, time\n"
        "print(sys.prefix, os.environ['PYTHONPATH'], os.environ['GREENTILL_ARTIFACT'], flush=True)\n"
        "time.sleep(60)\n"
    )
    (folder / "launcher.py").write_text(LAUNCHER.read_text())
    edgekit = LAUNCHER.parent / "edgekit"
    (package.parent / "edgekit").mkdir()
    shutil.copyfile(edgekit / "supervise.py", package.parent / "edgekit" / "supervise.py")
    return folder


def start(component: Path, into: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-u",
        str(component / "launcher.py"),
        "--runtime",
        "1.0.0",
        "--runtimes",
        str(into),
    ]
    return subprocess.Popen(
        [*command, *options, "edge_components.probe", "extra"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_launcher_waits_for_its_runtime_then_runs_the_component(tmp_path: Path, component: Path) -> None:
    into = tmp_path / "into"
    child = start(component, into)
    try:
        assert child.stderr is not None
        assert child.stdout is not None
        assert "Waiting for the Runtime" in child.stderr.readline()
        assert install(small(tmp_path / "a"), into).returncode == 0
        line = child.stdout.readline()
        assert line, child.stderr.read()
        prefix, code, artifact = line.split()
        assert prefix == str(into / "1.0.0" / "venv")
        assert artifact == str(component)  # from which a component reads its version: a copy has none
        assert Path(code).parent == into / "1.0.0" / "code" / "edge_components.probe"
        with (into / "1.0.0" / "ready").open() as ready, pytest.raises(BlockingIOError):
            fcntl.flock(ready, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)


PROBE = """
import os, sys, time
print(os.getpid(), flush=True)
time.sleep({seconds})
sys.exit({status})
"""


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """Runtimes of which 1.0.0 is this very Python."""
    into = tmp_path / "runtimes"
    (into / "1.0.0" / "venv" / "bin").mkdir(parents=True)
    (into / "1.0.0" / "venv" / "bin" / "python").symlink_to(sys.executable)
    (into / "1.0.0" / "ready").touch()
    return into


def probe(component: Path, *, seconds: float, status: int = 0) -> None:
    main = component / "edge_components" / "probe" / "__main__.py"
    main.write_text(PROBE.format(seconds=seconds, status=status))


def next_pid(child: subprocess.Popen[str]) -> int:
    assert child.stdout is not None
    return int(child.stdout.readline())


def test_a_component_that_ran_well_is_started_again_however_often_it_is_killed(
    component: Path, ready: Path
) -> None:
    """A nucleus would give it up after three failures in an hour, and the till would not sell."""
    probe(component, seconds=60)
    child = start(component, ready, "--well-after", "0.2")
    try:
        pid = next_pid(child)
        time.sleep(0.3)
        for _ in range(4):
            os.kill(pid, signal.SIGKILL)
            pid, before = next_pid(child), pid
            assert pid != before
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)
    assert not Path(f"/proc/{pid}").exists()


def where_it_runs(component: Path, ready: Path) -> Path:
    main = component / "edge_components" / "probe" / "__main__.py"
    main.write_text("import os\nprint(os.environ['PYTHONPATH'], flush=True)\n" + main.read_text())
    child = start(component, ready)
    try:
        assert child.stdout is not None
        return Path(child.stdout.readline().strip())
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)


def test_a_component_is_compiled_once_and_not_at_every_start(component: Path, ready: Path) -> None:
    probe(component, seconds=60)
    code = where_it_runs(component, ready)
    compiled = list(code.rglob("*.pyc"))
    assert {path.name.partition(".")[0] for path in compiled} == {"__init__", "__main__", "supervise"}
    assert (code / "edge_components/probe/__main__.py").read_bytes() == (
        component / "edge_components/probe/__main__.py"
    ).read_bytes()
    before = [path.stat().st_mtime_ns for path in compiled]
    child = start(component, ready)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == str(code)
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)
    assert [path.stat().st_mtime_ns for path in compiled] == before


def test_changed_code_is_never_run_from_the_copy_of_what_it_was(component: Path, ready: Path) -> None:
    probe(component, seconds=60)
    first = where_it_runs(component, ready)
    second = where_it_runs(component, ready)
    assert first != second
    assert not first.exists()


def test_a_component_whose_own_folder_nobody_may_write_is_compiled_all_the_same(
    component: Path, ready: Path
) -> None:
    probe(component, seconds=60)
    folders = [path for path in (component, *component.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    code = where_it_runs(component, ready)
    assert all(path.stat().st_mode & 0o200 for path in code.rglob("*"))


def test_a_copy_cut_short_is_made_again(component: Path, ready: Path) -> None:
    probe(component, seconds=60)
    part = ready / "1.0.0" / "code" / "edge_components.probe" / "part" / "edge_components"
    part.mkdir(parents=True)
    (part / "__init__.py").write_text("raise SystemExit(9)")
    assert where_it_runs(component, ready).parent == part.parent.parent
    assert not part.parent.exists()


def test_a_copy_that_has_lost_a_file_or_is_none_is_made_again(component: Path, ready: Path) -> None:
    """Under the right name, so that nothing but its content tells."""
    probe(component, seconds=60)
    code = ready / "1.0.0" / "code" / "edge_components.probe" / launcher.digest(component / "edge_components")
    whole = sorted(
        path.relative_to(component) for path in component.rglob("*.py") if path.parent != component
    )

    def spoil(how: str) -> None:
        if how == "a file":
            code.parent.mkdir(parents=True)
            code.write_text("")
        elif how == "empty":
            (code / "edge_components" / "probe" / "__main__.py").write_text("")
        else:
            (code / "edge_components" / "edgekit" / "supervise.py").unlink()

    for how in ("a file", "empty", "lost"):
        spoil(how)
        child = start(component, ready)
        try:
            next_pid(child)
        finally:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=120)
        assert sorted(path.relative_to(code) for path in code.rglob("*.py")) == whole
        main = Path("edge_components/probe/__main__.py")
        assert (code / main).read_text() == (component / main).read_text()


def test_a_copy_that_cannot_be_looked_at_is_left_alone(
    component: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when another user made it: the tests' own user may be root, who can look at everything."""

    def refuse(package: Path) -> list[tuple[Path, int]]:
        raise PermissionError(13, "Permission denied", str(package))

    monkeypatch.setattr(launcher, "sizes", refuse)
    assert launcher.compiled(component, tmp_path / "code", sys.executable) == component
    assert "starts slowly" in capsys.readouterr().err


def test_a_copy_that_could_not_be_finished_leaves_no_part_on_a_full_disk(
    component: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "code"
    assert launcher.compiled(component, folder, "/bin/false") == component
    assert list(folder.iterdir()) == []


def test_where_no_copy_can_be_made_the_component_runs_from_its_own_folder(
    component: Path, ready: Path
) -> None:
    probe(component, seconds=60)
    (ready / "1.0.0" / "code").write_text("a file where a folder should be")
    assert where_it_runs(component, ready) == component


def test_a_component_that_fails_at_its_start_is_the_nucleus_to_judge(component: Path, ready: Path) -> None:
    probe(component, seconds=0, status=3)
    child = start(component, ready)
    child.communicate(timeout=120)
    assert child.returncode == 3


def test_a_component_that_ends_by_itself_is_started_afresh(component: Path, ready: Path) -> None:
    probe(component, seconds=0.1)
    child = start(component, ready)
    try:
        assert next_pid(child) != next_pid(child)
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)


def test_a_launcher_that_is_told_to_end_while_it_waits_to_start_again_ends(
    component: Path, ready: Path
) -> None:
    probe(component, seconds=0, status=0)
    child = start(component, ready)
    assert child.stderr is not None
    while "starting it again in 2 s" not in child.stderr.readline():
        pass
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=120)
    assert child.returncode == 0


def test_a_component_that_is_told_to_end_as_it_starts_ends(component: Path, ready: Path) -> None:
    """However early: nothing is lost between the launcher and what it starts."""
    probe(component, seconds=600)
    for moment in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3):
        child = start(component, ready)
        time.sleep(moment)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)
        assert child.returncode is not None


def test_a_program_that_is_not_there_is_said_so(component: Path, ready: Path) -> None:
    supervise = component / "edge_components" / "edgekit" / "supervise.py"
    argv = [sys.executable, "-P", "-S", str(supervise), "20", str(ready / "nothing")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "does not start" in done.stderr


def test_no_component_outlives_a_launcher_that_is_killed(component: Path, ready: Path) -> None:
    probe(component, seconds=60)
    child = start(component, ready)
    pid = next_pid(child)
    child.kill()
    child.communicate(timeout=120)
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
