"""Makes the flavour directory that `pi_bootstrap.sh --nucleus-dir` takes, once per content."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE.parents[1] / "requirements" / "twin-core.txt"
PYTHON = "3.11"  # Debian 12's
# botocore carries every service's model; the core calls one.
_KEPT_MODELS = frozenset({"s3", "sts"})


class BuildError(Exception):
    """The flavour can't be made; the sentence says why."""


def build(target: Path) -> Path:
    """Make `target` hold flavour.sh, greentill_core/, site/ and their digest; quick when it does already."""
    wanted = digest()
    if _read(target / "digest") == wanted:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        made = Path(scratch) / "flavour"
        made.mkdir()
        shutil.copy2(HERE / "flavour.sh", made)
        for source in _sources():
            place = made / source.relative_to(HERE)
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, place)
        _unpack_wheels(made / "site")
        (made / "digest").write_text(wanted)
        made.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return target


def digest() -> str:
    """SHA-256 over the sources and the locked requirements."""
    total = hashlib.sha256(PYTHON.encode())
    for path in (LOCK, HERE / "flavour.sh", Path(__file__).resolve(), *_sources()):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _sources() -> list[Path]:
    return sorted((HERE / "greentill_core").glob("*.py"))


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _unpack_wheels(site: Path) -> None:
    """The locked wheels, checked by hash, as imports find them; compiled so that a till starts quickly."""
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", PYTHON]
    _run([str(uv), "pip", "install", *options, "--target", str(site), "-r", str(LOCK)])
    models = site / "botocore" / "data"
    for entry in models.iterdir():
        if entry.is_dir() and entry.name not in _KEPT_MODELS:
            shutil.rmtree(entry)
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        _run([sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(site)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
