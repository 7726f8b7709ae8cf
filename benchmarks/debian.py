"""Programs of Debian that are compared with, unpacked below build/peers: nothing is installed or started."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import ROOT, BenchmarkError

DOWNLOADS = ROOT / "build" / "peers"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def unpacked(packages: Sequence[str], release: str = "") -> Path:
    """The packages of this Debian, or of another release of it, in one folder. Raises BenchmarkError."""
    root = DOWNLOADS / packages[0]
    if not root.exists():
        debs = DOWNLOADS / f"{packages[0]}-debs"
        debs.mkdir(parents=True, exist_ok=True)
        options = _lists_of(release) if release else ()
        _apt(debs, *options, "download", *packages)
        part = root.with_name(f"{root.name}.part")
        for deb in debs.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(deb), str(part)], check=True)
        part.rename(root)
    return root


def _lists_of(release: str) -> tuple[str, ...]:
    """Options with which apt reads another release from the mirror in use, and leaves its own lists alone."""
    told = _apt(
        DOWNLOADS,
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
        "Origin: Debian",
        "Label: Debian",
    )
    if not told:
        raise BenchmarkError("apt knows no Debian mirror: run apt-get update first")
    work = DOWNLOADS / f"apt-{release}"
    (work / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    source = work / "sources.list"
    source.write_text(f"deb [signed-by={_KEYRING}] {told.split()[0]} {release} main\n", encoding="ascii")
    settings = {
        "Dir::Etc::SourceList": source,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work,
    }
    options = tuple(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))
    _apt(work, *options, "update")
    return options


def _apt(folder: Path, *arguments: str) -> str:
    argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise BenchmarkError(f"apt-get can't get what is compared with: {reason}")
    return done.stdout
