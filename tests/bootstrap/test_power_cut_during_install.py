"""Power lost during any step of the bootstrap, and the script run again: the same as one clean run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bootstrap import interrupted_install as interrupted
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
SAMPLE = {"directories", "root-helper", "claim"}
STEPS = (
    "preflight",
    "packages",
    "nucleus-ready",
    "users",
    "directories",
    "settings",
    "root-helper",
    "clock",
    "logs",
    "service",
    "nucleus",
    "identity",
    "claim",
    "health",
)


@dataclass(frozen=True)
class Clean:
    """One run that nothing disturbed: what it was given, said and left."""

    folders: tuple[Path, Path]
    lines: list[str]
    manifest: str


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    work_dir = tmp_path_factory.mktemp("clean")
    folders = interrupted.write_folders(work_dir)
    machine = Machine("CLEAN001", ensure_root(), work_dir)
    try:
        interrupted.prepare(machine, work_dir, folders)
        lines = interrupted.install(machine)
        yield Clean(folders, lines, interrupted.manifest(machine))
    finally:
        reclaim(work_dir, erase=True)


def test_every_step_is_tried(clean: Clean) -> None:
    assert [line.split()[-1] for line in interrupted.steps(clean.lines)] == ["kit", *STEPS]


@pytest.mark.parametrize(
    "step", [step if step in SAMPLE else pytest.param(step, marks=pytest.mark.slow) for step in STEPS]
)
def test_power_lost_as_a_step_begins_changes_nothing_in_the_end(
    clean: Clean, step: str, tmp_path: Path
) -> None:
    [line] = [line for line in interrupted.steps(clean.lines) if line.endswith(f" {step}")]
    machine = Machine("POWER001", ensure_root(), tmp_path)
    try:
        interrupted.prepare(machine, tmp_path, clean.folders)
        assert interrupted.install_until(machine, line)
        machine.boot()
        again = interrupted.install(machine)
        assert again[-1].startswith("finished: greentill-PI0001")
        assert interrupted.manifest(machine) == clean.manifest
        assert "nothing was changed" in interrupted.install(machine)[-1]
    finally:
        reclaim(tmp_path, erase=True)
