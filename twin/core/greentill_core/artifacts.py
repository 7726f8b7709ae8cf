"""Artifacts: fetched, checked against the recipe's digest, unpacked, given the recipe's permissions."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .errors import DeploymentError
from .recipes import Artifact, Recipe
from .storage import sync_folder, write
from .variables import Folders

_REACH: Final = {"NONE": 0, "OWNER": 0o770, "ALL": 0o777}  # whose permission bits each word covers


def ensure(
    recipe: Recipe, folders: Folders, fetch: Callable[[Artifact], bytes], *, local: bool = False
) -> None:
    """Put a component version's artifacts in place; what is there with the right digest is kept.

    Those of a local deployment have no digest: they lie where the deployment copied them to.
    """
    folder = folders.artifacts(recipe.name, recipe.version)
    unpacked = folders.unarchived(recipe.name, recipe.version)
    for made in (folder, unpacked):
        _make_readable(made, folders.root / "packages")
    for artifact in recipe.artifacts:
        path = folder / artifact.name
        if local:
            _must_be_there(path, artifact)
        elif not (path.is_file() and _digest(path.read_bytes()) == artifact.digest):
            data = fetch(artifact)
            if _digest(data) != artifact.digest:
                raise DeploymentError(
                    f"ARTIFACT_CHECKSUM_MISMATCH: {artifact.uri} has the digest {_digest(data)}, "
                    f"its recipe says {artifact.digest or 'none'}"
                )
            write(path, data)
        _permit(path, artifact)
        if artifact.unarchive:
            _unpack(path, unpacked / Path(artifact.name).stem, artifact)


def _must_be_there(path: Path, artifact: Artifact) -> None:
    if not path.is_file():
        text = f"{artifact.uri} is not among the local artifacts"
        raise DeploymentError(
            f"{text}: put {path.name} into <artifactDir>/{path.parent.parent.name}/<version>"
        )


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _make_readable(folder: Path, top: Path) -> None:
    """The folders down to artifacts are everyone's to enter; nobody but root writes there."""
    folder.mkdir(parents=True, exist_ok=True)
    while folder != top.parent:
        folder.chmod(0o755)
        folder = folder.parent


def _permit(path: Path, artifact: Artifact) -> None:
    """Classic's rule: OWNER means user and group, the user reads always, what executes can be read too."""
    if artifact.read not in _REACH or artifact.execute not in _REACH:
        raise DeploymentError(f"{artifact.uri} asks for an unknown permission")
    read, execute = _REACH[artifact.read], _REACH[artifact.execute]
    mode = 0o400 | 0o444 & (read | execute) | 0o111 & execute
    if path.is_dir():
        mode |= (mode & 0o444) >> 2  # can be entered by whom it can be read
    path.chmod(mode)


def _unpack(archive: Path, target: Path, artifact: Artifact) -> None:
    beside = target.with_name(target.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            _refuse_escapes(packed, artifact)
            packed.extractall(beside)
    except (zipfile.BadZipFile, OSError) as error:
        raise DeploymentError(f"{artifact.uri} can't be unpacked: {error}") from error
    for entry in (*beside.rglob("*"), beside):
        if entry.is_file():
            _sync_file(entry)
        _permit(entry, artifact)
    for folder in (*(entry for entry in beside.rglob("*") if entry.is_dir()), beside):
        sync_folder(folder)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    sync_folder(target.parent)


def _refuse_escapes(packed: zipfile.ZipFile, artifact: Artifact) -> None:
    for name in packed.namelist():
        if name.startswith("/") or ".." in name.split("/"):
            raise DeploymentError(f"{artifact.uri} holds {name}, which lies outside it")


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
