"""A run of the benchmarks as a user has it: progress, an end, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.figure import ROOT
from benchmarks.processes import with_children

PATIENCE = 300.0


def gone(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
def test_ctrl_c_ends_a_run_with_what_was_measured_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks",
            "sale_commit",
            "--output",
            str(tmp_path / "out" / "figures.json"),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    said = ""
    while "round 1" not in said:
        line = run.stderr.readline()
        assert line, said
        said += line
    started = with_children(run.pid)[1:]
    assert started
    run.send_signal(signal.SIGINT)
    shown, rest = run.communicate(timeout=PATIENCE)
    assert (run.returncode, "interrupted" in rest) == (130, True), rest
    assert "Benchmarks" in shown
    assert all(gone(pid) for pid in started)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "figures.json").read_text() == "[]\n"


def test_a_benchmark_that_nobody_knows_is_refused_with_the_names_of_those_there_are() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "no benchmark speed; there are" in run.stderr
    assert "start_up" in run.stderr


def test_all_processes_below_one_are_found() -> None:
    run = subprocess.Popen(["sh", "-c", "sh -c 'sleep 300; :'; :"], start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while len(with_children(run.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(with_children(run.pid)) == 3
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
