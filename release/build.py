"""Fill dist/ with components as they are published: recipe, artifacts, manifest."""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release import archive, wheelhouse
from release.check import check_built
from release.components import RUNTIME, Component, code, find
from release.errors import ReleaseError
from release.recipe import RUNTIME as RUNTIME_PLACE
from release.recipe import compact, component_digest

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """A component in dist/. `digest` is `sha256:<hex>`; `artifacts` maps file names to SHA-256 in hex."""

    component: str
    version: str
    digest: str
    folder: Path
    artifacts: dict[str, str]

    @property
    def recipe_text(self) -> str:
        return (self.folder / "recipe.json").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Workshop:
    """Where to build: the clone, dist/, and the cache of downloaded wheels; `progress` hears each step."""

    root: Path
    dist: Path
    cache: Path
    progress: Progress


def build(workshop: Workshop) -> list[Built]:
    """Build every component of the working tree. Raises ReleaseError."""
    components = find(workshop.root)
    runtime = next(component for component in components if component.name == RUNTIME)
    with _alone_in(workshop.dist):
        return [_build(workshop, component, runtime.version) for component in components]


@contextmanager
def _alone_in(dist: Path) -> Iterator[None]:
    """One build at a time: two demos, or a demo and an engineer, may share a clone."""
    dist.mkdir(parents=True, exist_ok=True)
    with (dist / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(workshop: Workshop, component: Component, runtime: str) -> Built:
    folder = workshop.dist / component.name / component.version
    partial = folder.with_name(f".{component.version}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    recipe_text = compact(component.recipe).replace(RUNTIME_PLACE, runtime)
    if component.name == RUNTIME:
        artifacts = _runtime_artifacts(workshop, component, partial)
    else:
        file = f"{component.folder.name}.zip"
        artifacts = {file: archive.write(partial / file, code(workshop.root, component))}
    digest = component_digest(recipe_text, artifacts)
    (partial / "recipe.json").write_text(recipe_text, encoding="utf-8")
    manifest = {
        "component": component.name,
        "version": component.version,
        "digest": digest,
        "artifacts": [{"file": file, "sha256": artifacts[file]} for file in sorted(artifacts)],
    }
    (partial / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    if findings := check_built(recipe_text, artifacts, digest):
        raise ReleaseError(f"{component.name} {component.version}: " + " ".join(findings))
    if _intact(folder, manifest):
        shutil.rmtree(partial)  # what is there stays in its place: somebody may be reading it
    else:
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    workshop.progress(f"Built {component.name} {component.version}")
    return Built(component.name, component.version, digest, folder, artifacts)


def _intact(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether `folder` holds this very build, byte for byte."""
    try:
        same = bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8")) == manifest)
        found = {one["file"]: archive.sha256(folder / one["file"]) for one in manifest["artifacts"]}
        recipe_text = (folder / "recipe.json").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return same and bool(component_digest(recipe_text, found) == manifest["digest"])


def _runtime_artifacts(workshop: Workshop, component: Component, target: Path) -> dict[str, str]:
    lock = workshop.root / "requirements" / "runtime.txt"
    artifacts = {}
    for architecture in wheelhouse.ARCHITECTURES:
        members: dict[str, Path | bytes] = {"install.py": component.folder / "install.py"}
        listing: dict[str, list[dict[str, str]]] = {}
        for python in wheelhouse.PYTHONS:
            wheels = wheelhouse.fetch(
                lock, wheelhouse.Target(architecture, python), workshop.cache, workshop.progress
            )
            listing[python] = [{"file": wheel.name, "sha256": archive.sha256(wheel)} for wheel in wheels]
            members |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
        members["wheels.json"] = json.dumps(listing, indent=1, sort_keys=True).encode()
        file = f"runtime-{architecture}.zip"
        artifacts[file] = archive.write(target / file, members)
    return artifacts


def read_dist(dist: Path) -> list[Built]:
    """Everything in `dist`, verified against its manifests. Raises ReleaseError where bytes differ."""
    built = []
    for path in sorted(dist.glob("[A-Z]*/[!.]*/manifest.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            artifacts = {entry["file"]: entry["sha256"] for entry in document["artifacts"]}
            one = Built(
                document["component"], document["version"], document["digest"], path.parent, artifacts
            )
            found = {file: archive.sha256(path.parent / file) for file in artifacts}
            intact = found == artifacts and component_digest(one.recipe_text, artifacts) == one.digest
        except (json.JSONDecodeError, KeyError, TypeError, OSError) as error:
            raise ReleaseError(f"{path} can't be used ({error!r}); run greentill release build.") from error
        if not intact:
            raise ReleaseError(f"{path.parent} differs from its manifest; run greentill release build.")
        built.append(one)
    return built


def current(root: Path, dist: Path) -> list[Built]:
    """What `dist` holds of the versions named in the working tree. Raises ReleaseError if one is missing."""
    by_key = {(one.component, one.version): one for one in read_dist(dist)}
    wanted = [(component.name, component.version) for component in find(root)]
    if missing := [f"{name} {version}" for name, version in wanted if (name, version) not in by_key]:
        raise ReleaseError(f"dist/ lacks {', '.join(missing)}; run greentill release build.")
    return [by_key[key] for key in wanted]
