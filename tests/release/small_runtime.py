"""A Runtime as small as one can be, and its installation on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAG = f"{sys.version_info.major}.{sys.version_info.minor}"


def install(artifact: Path, into: Path, version: str = "1.0.0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-u", str(artifact / "install.py"), "--version", version, "--into", str(into)]
    environment = {
        "PATH": os.environ["PATH"],
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=environment)


def small(folder: Path, **changes: str) -> Path:
    """An artifact with one small wheel that stands for every package that is tried."""
    (folder / "wheels").mkdir(parents=True)
    wheel = folder / "wheels" / "all-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("apsw", "argon2", "fastapi", "httptools", "segno", "uvicorn", "uvloop"):
            archive.writestr(f"all-1.data/purelib/{name}.py", changes.get(name, ""))
        archive.writestr("botocore/session.py", "")
        archive.writestr("all-1.data/scripts/tool", "#!python")
    entry = {"file": wheel.name, "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    (folder / "wheels.json").write_text(json.dumps({TAG: [entry]}))
    (folder / "install.py").write_text((ROOT / "edge_components" / "runtime" / "install.py").read_text())
    return folder
