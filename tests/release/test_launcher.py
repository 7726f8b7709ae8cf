"""The launcher: it waits for its Runtime, then runs the component, and never leaves it alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_components import launcher
from tests.release.small_runtime import ROOT, install, small
from tests.waiting import wait_for

LAUNCHER = ROOT / "edge_components" / "launcher.py"


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
