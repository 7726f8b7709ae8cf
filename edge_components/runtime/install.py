"""Builds a Runtime version from the wheels beside this file: no network, no pip, no root.

The wheels are checked by hash and unpacked into a virtual environment of the machine's own Python; importing
the packages compiles what they use. All of it happens in a folder of its own, which takes its place in one
rename after everything is on disk: after a power cut there is either a whole Runtime or none.
    python3 -u install.py --version 1.0.0
"""

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

RUNTIMES = Path("/var/lib/greentill/runtime")
IMPORTS = (
    "apsw",
    "argon2",
    "botocore.session",
    "fastapi",
    "httptools",
    "segno",
    "uvicorn",
    "uvloop",
)
IMPORT_SECONDS = 300
KEPT = 2  # earlier versions that stay although nothing runs with them: a roll-back needs no unpacking
CHUNK = 1 << 20


class InstallError(Exception):
    """The Runtime can't be installed; the sentence says why."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--version", required=True, help="the Runtime version to install")
    parser.add_argument("--into", type=Path, default=RUNTIMES, help="where Runtime versions are installed")
    arguments = parser.parse_args()
    try:
        say(install(Path(__file__).resolve().parent, arguments.into, arguments.version))
    except (InstallError, OSError) as error:
        say(f"error: {error}")
        return 1
    return 0


def install(source: Path, into: Path, version: str) -> str:
    """Install the wheels in `source` as `into`/`version` unless they are there; returns what was done."""
    into.mkdir(parents=True, exist_ok=True)
    with alone(into):
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        wheels = listed(source, python)
        mark = json.dumps({"python": python, "wheels": wheels}, sort_keys=True)
        target = into / version
        if is_ready(target, mark):
            return f"Runtime {version} is installed already."
        building = into / f".building-{version}"
        shutil.rmtree(building, ignore_errors=True)
        build(source / "wheels", wheels, building)
        (building / "ready").write_text(mark, encoding="utf-8")
        sync(building)
        replace(building, target)
        remove_unused(into, version)
        return f"Runtime {version} is installed for Python {python}: {len(wheels)} packages."


@contextlib.contextmanager
def alone(into: Path) -> Iterator[None]:
    """One installation at a time; the lock ends with the process, so a power cut leaves none."""
    with (into / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def listed(source: Path, python: str) -> list[dict[str, str]]:
    listing: dict[str, list[dict[str, str]]] = json.loads(
        (source / "wheels.json").read_text(encoding="utf-8")
    )
    if python not in listing:
        raise InstallError(
            f"this Runtime is for Python {' and '.join(sorted(listing))}, and python3 is {python}."
        )
    return listing[python]


def is_ready(target: Path, mark: str) -> bool:
    try:
        return (target / "ready").read_text(encoding="utf-8") == mark
    except OSError:
        return False


def build(wheelhouse: Path, wheels: list[dict[str, str]], building: Path) -> None:
    environment = building / "venv"
    venv.EnvBuilder(symlinks=True, with_pip=False).create(environment)
    python = environment / "bin" / "python"
    packages = (
        environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    for wheel in wheels:
        path = wheelhouse / wheel["file"]
        if sha256(path) != wheel["sha256"]:
            raise InstallError(f"{path.name} differs from what was published: deploy the Runtime again.")
        unpack(path, packages)
    script = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    tried = subprocess.run(
        [str(python), "-I", "-c", script, *IMPORTS],
        capture_output=True,
        text=True,
        check=False,
        timeout=IMPORT_SECONDS,
    )
    if tried.returncode:
        raise InstallError(f"the packages can't be imported: {tried.stderr.strip().splitlines()[-1]}")


def unpack(wheel: Path, packages: Path) -> None:
    """Unpack a wheel as its specification has it; nothing here needs scripts, headers or data files."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = Path(entry.filename).parts
            if entry.is_dir() or not parts:
                continue
            if parts[0].endswith(".data"):
                if parts[1] not in ("purelib", "platlib"):
                    continue
                entry.filename = "/".join(parts[2:])
            archive.extract(entry, packages)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sync(folder: Path) -> None:
    """Put the file system that holds `folder` on disk; one call is far quicker than thousands of fsync."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None or syncfs(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)


def replace(building: Path, target: Path) -> None:
    """Let `building` take the place of `target`, which a changed Python or a damaged copy may have left."""
    old = target.with_name(f".old-{target.name}")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    building.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    shutil.rmtree(old, ignore_errors=True)


def remove_unused(into: Path, version: str) -> None:
    """Remove what nothing runs with, but for the newest few: components hold a lock on their `ready`."""
    others = [path for path in into.iterdir() if not path.name.startswith(".") and path.name != version]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT:]:
        if not in_use(path / "ready"):
            shutil.rmtree(path, ignore_errors=True)


def in_use(ready: Path) -> bool:
    try:
        with ready.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - the nucleus keeps what a script prints


if __name__ == "__main__":
    sys.exit(main())
