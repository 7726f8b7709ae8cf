"""The wheels that the Runtime carries: per architecture, for every Python that a till may have.

Downloaded once per lock file and kept under the user's cache, so a second build needs no network.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from packaging.requirements import Requirement

from release.errors import ReleaseError

ARCHITECTURES = ("aarch64", "x86_64")
PYTHONS = ("3.11", "3.13")  # Debian 12 and 13, and Raspberry Pi OS of the same names
OLDEST_GLIBC, NEWEST_GLIBC = 17, 36  # 2.17 is manylinux2014; 2.36 is Debian 12's
COMPLETE = ".complete"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    architecture: str
    python: str

    def platforms(self) -> list[str]:
        """The platform tags that such a machine can run, newest first."""
        minors = range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)
        return [
            *(f"manylinux_2_{minor}_{self.architecture}" for minor in minors),
            f"manylinux2014_{self.architecture}",
        ]

    def environment(self) -> dict[str, str]:
        """What environment markers see on that machine rather than on this one."""
        return {
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "platform_machine": self.architecture,
            "sys_platform": "linux",
            "platform_system": "Linux",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/greentill/wheels`, by default under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "greentill" / "wheels"


def fetch(lock: Path, target: Target, cache: Path, progress: Progress) -> list[Path]:
    """The wheels of `lock` for `target`, by name; downloaded by hash unless the cache has them."""
    wanted = applicable(lock.read_text(encoding="utf-8"), target)
    key = sha256("\n".join([*target.platforms(), wanted]).encode()).hexdigest()[:16]
    folder = cache / f"{target.architecture}-cp{target.python.replace('.', '')}-{key}"
    if not (folder / COMPLETE).exists():
        progress(f"Downloading wheels for {target.architecture}, Python {target.python}")
        _download(wanted, target, folder)
    return sorted(folder.glob("*.whl"))


def applicable(lock_text: str, target: Target) -> str:
    """The lock's entries whose markers hold on `target`, without markers.

    pip judges markers by the interpreter that runs it, not by the one downloaded for.
    """
    kept = []
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", re.sub(r"(?m)^#.*\n", "", lock_text)):
        if not entry.strip():
            continue
        head, _, hashes = entry.partition("\\\n")
        requirement = Requirement(head.strip())
        if requirement.marker is None or requirement.marker.evaluate(target.environment()):
            requirement.marker = None
            kept.append(f"{requirement} \\\n{hashes.rstrip()}\n")
    return "".join(kept)


def _download(wanted: str, target: Target, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "requirements.txt").write_text(wanted, encoding="utf-8")
    platforms = [option for tag in target.platforms() for option in ("--platform", tag)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--require-hashes", "--only-binary", ":all:", "--implementation", "cp"),
        *("--python-version", target.python, *platforms),
        *("--requirement", str(partial / "requirements.txt"), "--dest", str(partial)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ReleaseError(
            f"Wheels for {target.architecture}, Python {target.python} can't be downloaded: {reason}"
        )
    (partial / COMPLETE).touch()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
