"""The same commit gives the same bytes; another commit never passes for it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from release import archive
from release.build import Built, current, read_dist
from release.errors import ReleaseError
from release.wheelhouse import Target, applicable, cache_folder, fetch
from tests.release.conftest import build_in, clone


def content(dist: Path) -> dict[str, str]:
    return {str(path.relative_to(dist)): archive.sha256(path) for path in dist.rglob("*") if path.is_file()}


def test_two_builds_are_byte_identical_whatever_the_clocks_and_modes(
    shared_clone: Path, shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    other = clone(tmp_path / "elsewhere")
    for path in (other / "edge_components").rglob("*.py"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    build_in(other, other / "dist")
    assert content(other / "dist") == content(shared_clone / "dist")


def test_a_changed_file_changes_the_digest_of_what_carries_it(
    shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    other = clone(tmp_path / "other")
    with (other / "edge_components" / "sync" / "worker.py").open("a") as file:
        file.write("# changed\n")
    changed = build_in(other, other / "dist")
    assert changed["Sync"].digest != shared_dist["Sync"].digest
    assert changed["Pos"].digest == shared_dist["Pos"].digest
    with (other / "edge_components" / "edgekit" / "keys.py").open("a") as file:
        file.write("# changed\n")
    changed = build_in(other, other / "dist")
    assert changed["Pos"].digest != shared_dist["Pos"].digest
    assert changed["Runtime"].digest == shared_dist["Runtime"].digest


def test_an_archive_holds_the_package_edgekit_and_the_launcher_and_no_litter(
    shared_clone: Path, shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    other = clone(tmp_path / "littered")
    sync = other / "edge_components" / "sync"
    (sync / "__pycache__").mkdir()
    (sync / "__pycache__" / "x.pyc").write_bytes(b"x")
    for name in (".hidden", "table.py~", "table.py.orig"):
        (sync / name).write_text("litter")
    assert build_in(other, other / "dist")["Sync"].digest == shared_dist["Sync"].digest
    names = set(zipfile.ZipFile(shared_dist["Sync"].folder / "sync.zip").namelist())
    assert {"launcher.py", "edge_components/__init__.py", "edge_components/sync/__main__.py"} <= names
    assert "edge_components/edgekit/keys.py" in names
    allowed = (
        "launcher.py",
        "edge_components/__init__.py",
        "edge_components/sync/",
        "edge_components/edgekit/",
    )
    assert [name for name in names if not name.startswith(allowed)] == []
    assert not [name for name in names if "README" in name or "recipe.json" in name]


def test_archives_are_stored_with_one_time_and_one_mode(shared_dist: dict[str, Built]) -> None:
    for one in shared_dist.values():
        for file in one.artifacts:
            entries = zipfile.ZipFile(one.folder / file).infolist()
            assert {(entry.compress_type, entry.date_time, entry.external_attr) for entry in entries} == {
                (zipfile.ZIP_STORED, archive.EPOCH, archive.MODE)
            }
            assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


def test_what_is_built_names_no_fleet(shared_dist: dict[str, Built]) -> None:
    for one in shared_dist.values():
        assert "com.@FLEET@." in one.recipe_text
        assert "com.greentill" not in one.recipe_text


def test_the_runtime_carries_wheels_for_both_pythons_with_their_hashes(shared_dist: dict[str, Built]) -> None:
    for architecture in ("aarch64", "x86_64"):
        wheels = zipfile.ZipFile(shared_dist["Runtime"].folder / f"runtime-{architecture}.zip")
        listing = json.loads(wheels.read("wheels.json"))
        assert sorted(listing) == ["3.11", "3.13"]
        for python, entries in listing.items():
            tag = f"cp{python.replace('.', '')}"
            assert any(tag in entry["file"] and architecture in entry["file"] for entry in entries)
            foreign = {"aarch64": "x86_64", "x86_64": "aarch64"}[architecture]
            assert not [entry for entry in entries if foreign in entry["file"]]
        files = {name.removeprefix("wheels/") for name in wheels.namelist() if name.startswith("wheels/")}
        assert files == {entry["file"] for entries in listing.values() for entry in entries}


def test_a_second_build_needs_neither_network_nor_pip(
    shared_clone: Path, shared_dist: dict[str, Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    lock = shared_clone / "requirements" / "runtime.txt"
    assert fetch(lock, Target("aarch64", "3.13"), cache_folder(), lambda _step: None)


def test_wheels_that_cannot_be_had_are_named_and_leave_no_half_cache(tmp_path: Path) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text(f"greentill-is-no-package==1.0.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(ReleaseError, match=r"Wheels for aarch64, Python 3\.11"):
            fetch(lock, Target("aarch64", "3.11"), tmp_path / "cache", lambda _step: None)
    assert not list((tmp_path / "cache").rglob(".complete"))


def test_markers_are_judged_by_the_till_not_by_this_machine() -> None:
    lock = (
        'old==1.0 ; python_full_version < "3.12" \\\n    --hash=sha256:aa\n'
        'pi==2.0 ; platform_machine == "aarch64" \\\n    --hash=sha256:bb\n'
        "all==3.0 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\n"
    )
    names = {
        (architecture, python): [
            line.split("==")[0]
            for line in applicable(lock, Target(architecture, python)).splitlines()
            if "==" in line
        ]
        for architecture in ("aarch64", "x86_64")
        for python in ("3.11", "3.13")
    }
    assert names == {
        ("aarch64", "3.11"): ["old", "pi", "all"],
        ("aarch64", "3.13"): ["pi", "all"],
        ("x86_64", "3.11"): ["old", "all"],
        ("x86_64", "3.13"): ["all"],
    }


def test_a_touched_artifact_is_found_before_it_is_published(
    shared_clone: Path, shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    shutil.copytree(shared_dist["Sync"].folder, tmp_path / "dist" / "Sync" / "1.0.0")
    artifact = tmp_path / "dist" / "Sync" / "1.0.0" / "sync.zip"
    assert read_dist(tmp_path / "dist")
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"x")
    with pytest.raises(ReleaseError, match="differs from its manifest"):
        read_dist(tmp_path / "dist")


def test_a_version_that_was_not_built_is_named(shared_clone: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"dist/ lacks Runtime .*; run greentill release build"):
        current(shared_clone, tmp_path)


@pytest.mark.parametrize(
    "recipe", ["{", "[]", '{"ComponentName": "com.@FLEET@.Other", "ComponentVersion": "1.0.0"}']
)
def test_a_recipe_that_is_none_is_named_with_its_file(tmp_path: Path, recipe: str) -> None:
    other = clone(tmp_path / "broken")
    (other / "edge_components" / "sync" / "recipe.json").write_text(recipe)
    with pytest.raises(ReleaseError, match=r"sync/recipe\.json"):
        build_in(other, other / "dist")


def test_builds_at_once_in_one_clone_disturb_neither_each_other_nor_a_reader(
    shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    """Two demos may run from one clone, and the first one's deploy reads while the second one builds."""
    other = clone(tmp_path / "other")
    dist = other / "dist"
    first = build_in(other, dist)
    (dist / "Pos" / ".1.0.0.partial").mkdir()  # of a build that was killed
    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(build_in, other, dist) for _ in range(3)]
        while not all(one.done() for one in builds):
            assert {one.component for one in read_dist(dist)} == set(first)
        assert [one.result() for one in builds] == [first] * 3
    assert not list(dist.rglob("*.partial"))
