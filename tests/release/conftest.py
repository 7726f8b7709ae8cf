"""A clone to build in, of its own, and the components built from it once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from release.build import Built, Workshop, build
from release.wheelhouse import cache_folder

ROOT = Path(__file__).resolve().parents[2]


def clone(target: Path) -> Path:
    """What a build reads, copied, so that nobody else's edits come between two builds."""
    junk = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(
        ROOT / "edge_components", target / "edge_components", ignore=junk, copy_function=shutil.copy
    )
    (target / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "runtime.txt", target / "requirements")
    (target / "releases").mkdir()
    for stage in ("dev", "staging"):
        (target / "releases" / f"{stage}.json").write_text('{"components": {}}\n')
    return target


def build_in(root: Path, dist: Path) -> dict[str, Built]:
    built = build(Workshop(root, dist, cache_folder(), lambda _step: None))
    return {one.component: one for one in built}


@pytest.fixture(scope="session")
def shared_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="session")
def shared_dist(shared_clone: Path) -> dict[str, Built]:
    """Built once for the run: read only."""
    return build_in(shared_clone, shared_clone / "dist")
