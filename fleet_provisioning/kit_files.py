"""A kit's folder: a half-written one is never taken for a whole one, and a cut-off run can be repeated."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from fleet_provisioning.errors import ProvisioningError

SUMS = "SHA256SUMS"
UNFINISHED = ".unfinished"
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
        for path in sorted(SCRIPTS.rglob("*"))
        if path.is_file() and path.suffix != ".md"
    }


class Workplace:
    """A kit's folder while it is written: locked for this run, and marked until the kit is whole.

    The mark outlives a run that was cut off, so that the next one knows the remains for its own.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder, or take one that is empty or marked. ProvisioningError for any other."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in folder.iterdir()}
            if names and UNFINISHED not in names:
                raise ProvisioningError(
                    f"{folder} isn't empty: give --out a new folder, so that no other kit is mixed in"
                )
            self._mark = (folder / UNFINISHED).open("a+")
            fcntl.flock(self._mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProvisioningError(f"another run is making the kit in {folder}: wait for it") from error
        except OSError as error:
            raise ProvisioningError(f"the kit's folder {folder} can't be made: {error.strerror}") from error
        self._mark.seek(0)
        self.earlier = self._mark.read()

    def begin(self, identity: str) -> None:
        """Clear what an earlier run left, and mark the folder with this run's `identity`."""
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != UNFINISHED:
                path.unlink()
        self._mark.truncate(0)
        self._mark.write(identity)
        self._mark.flush()
        os.fsync(self._mark.fileno())
        _sync_directory(self._folder)

    def finish(self) -> None:
        """The kit is whole."""
        (self._folder / UNFINISHED).unlink()
        _sync_directory(self._folder)
        self._mark.close()

    def remove(self) -> None:
        """The folder and what was written, key included; it was empty, new or marked: nothing else goes."""
        shutil.rmtree(self._folder)
        self._mark.close()


def whole(folder: Path) -> bool:
    """Whether there is a finished kit. ProvisioningError for one that differs from its sums."""
    sums = folder / SUMS
    if not sums.is_file() or (folder / UNFINISHED).exists():
        return False
    for line in sums.read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ProvisioningError(f"the kit in {folder} is damaged: {name} differs from {SUMS}")
    return True


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
