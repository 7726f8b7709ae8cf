"""Writes a kit's folder so that a half-written one is never taken for a whole one: SHA256SUMS comes last."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from fleet_provisioning.errors import ProvisioningError

SUMS = "SHA256SUMS"
SCRIPTS = Path(__file__).resolve().parents[1] / "pi_bootstrap"
PRIVATE = 0o600
PUBLIC = 0o644
EXECUTABLE = 0o755


def key_values(values: Mapping[str, str]) -> str:
    """KEY=VALUE lines."""
    return "".join(f"{key}={value}\n" for key, value in values.items())


def bootstrap_files() -> dict[str, bytes]:
    """The bootstrap script and what it sources, by path in the kit."""
    return {
        str(path.relative_to(SCRIPTS)): path.read_bytes()
        for path in sorted(SCRIPTS.rglob("*.sh"))
        if path.is_file()
    }


def prepare(folder: Path) -> None:
    """Make the folder, or take an empty one. Raises ProvisioningError when something is in it already."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        raise ProvisioningError(f"the kit's folder {folder} can't be made: {error.strerror}") from error
    if occupied:
        raise ProvisioningError(
            f"{folder} isn't empty: give --out a new folder, so that no other kit is mixed in"
        )


def write(folder: Path, texts: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """Write scripts, `texts` and `secrets` (mode 0600) into a prepared folder, then the sums; all synced."""
    contents = bootstrap_files() | {name: text.encode() for name, text in texts.items()}
    for name, content in contents.items():
        _write(folder / name, content, EXECUTABLE if name == "pi_bootstrap.sh" else PUBLIC)
    for name, secret in secrets.items():
        _write(folder / name, secret.encode(), PRIVATE)
        contents[name] = secret.encode()
    sums = "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))
    _write(folder / SUMS, sums.encode(), PUBLIC)
    for directory in {folder, *((folder / name).parent for name in contents)}:
        _sync_directory(directory)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
