"""The cached Debian root is whole or absent, whatever happens to those who make it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.machine, pytest.mark.slow, pytest.mark.timeout(900)]

MAKE = "from twin.machines import ensure_root; print(ensure_root(lambda line: print(line, flush=True)))"


def make_root(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )


def test_a_builder_that_is_killed_leaves_nothing_and_two_at_once_make_one(tmp_path: Path) -> None:
    killed = make_root(tmp_path)
    assert killed.stdout
    for line in killed.stdout:
        if line.startswith("Extracting"):
            break
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    roots = tmp_path / "greentill" / "roots"
    assert [entry.suffix for entry in roots.iterdir() if entry.is_dir()] == [".partial"]

    first, second = make_root(tmp_path), make_root(tmp_path)
    said = [builder.communicate()[0].splitlines() for builder in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert said[0][-1] == said[1][-1]
    assert sum("waiting for another process that makes the same root" in lines for lines in said) == 1
    made = Path(said[0][-1])
    assert [entry for entry in roots.iterdir() if entry.is_dir()] == [made]
    assert not (made / "debootstrap").exists()
    assert (made / "etc/machine-id").read_text() == ""
    assert str(roots) not in Path("/proc/self/mounts").read_text()
