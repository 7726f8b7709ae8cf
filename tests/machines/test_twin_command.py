"""`greentill twin` starts and ends everything, whatever happened before."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from twin import cloud, fleet
from twin.link import Link
from twin.machines import reclaim
from twin.machines.reclaim import leftovers

pytestmark = [pytest.mark.machine, pytest.mark.twin]


def greentill(*arguments: str, work_dir: Path) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "greentill", "twin", *arguments, "--work-dir", str(work_dir)]
    return subprocess.run(asked, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture
def work_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    cloud.stop(tmp_path)
    reclaim(tmp_path, erase=True)


def test_up_starts_a_cloud_that_a_second_up_keeps_and_down_ends_it(work_dir: Path) -> None:
    first = json.loads(greentill("up", "--json", work_dir=work_dir).stdout)
    assert first["cloud"]["running"] is True
    assert json.loads(greentill("up", "--json", work_dir=work_dir).stdout) == first
    assert json.loads(greentill("down", "--json", work_dir=work_dir).stdout) == {"ended": ["the cloud"]}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first["cloud"]["mqtt_port"]))
    again = greentill("down", work_dir=work_dir)
    assert (again.returncode, again.stdout) == (0, "Nothing was running.\n")


def test_down_ends_machines_and_link_and_leaves_nothing(work_dir: Path, root_image: Path) -> None:
    state = cloud.start(work_dir)
    link = Link.start(work_dir, fleet.upstreams(state))
    link.add("DOWN0001")
    fleet.machine("DOWN0001", work_dir=work_dir).boot()
    assert greentill("down", work_dir=work_dir).returncode == 0
    assert leftovers(work_dir) == []
    assert not cloud.is_running(work_dir)
    assert not (work_dir / "machines").exists()


def test_up_after_an_aborted_run_reclaims_it_first(work_dir: Path, root_image: Path) -> None:
    state = cloud.start(work_dir)
    Link.start(work_dir, fleet.upstreams(state)).add("LOST0001")
    machine = fleet.machine("LOST0001", work_dir=work_dir)
    machine.boot()
    os.kill(state.cloud.pid, signal.SIGKILL)
    os.waitpid(state.cloud.pid, 0)
    started = greentill("up", "--json", work_dir=work_dir)
    assert started.returncode == 0
    assert "reclaimed from an earlier run" in started.stderr
    assert json.loads(started.stdout)["tills"] == {}
    assert not machine.running


def test_up_that_fails_ends_the_cloud_that_it_started(work_dir: Path, root_image: Path) -> None:
    kit = work_dir / "kit"
    kit.mkdir()
    (kit / "till.conf").write_text("SERIAL=FAIL0001\n")  # and no pi_bootstrap.sh
    failed = greentill("up", "--kit", str(kit), work_dir=work_dir)
    assert failed.returncode == 1
    assert "FAIL0001" in failed.stderr
    assert not cloud.is_running(work_dir)
    assert leftovers(work_dir) == []


def test_ctrl_c_during_up_ends_everything_at_once(work_dir: Path, root_image: Path) -> None:
    kit = work_dir / "kit"
    kit.mkdir()
    (kit / "till.conf").write_text("SERIAL=STOP0001\n")
    script = kit / "pi_bootstrap.sh"
    script.write_text("#!/bin/sh\necho under way\nsleep 600\n")
    script.chmod(0o755)
    asked = [sys.executable, "-m", "greentill", "twin", "up", "--kit", str(kit), "--work-dir", str(work_dir)]
    # As from a terminal, also where the tests run in the background and ignore the signal.
    running = subprocess.Popen(["env", "--default-signal=INT", *asked], stderr=subprocess.PIPE, text=True)
    assert running.stderr
    assert any("under way" in line for line in running.stderr)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=240)
    assert running.returncode != 0
    assert not cloud.is_running(work_dir)
    assert leftovers(work_dir) == []
