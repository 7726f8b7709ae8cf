"""The Runtime as a Pi has it, so that no package of the developers' own environment is measured along."""

import platform
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from benchmarks.figure import ROOT, BenchmarkError
from release.build import Workshop, build
from release.components import RUNTIME
from release.errors import ReleaseError
from release.wheelhouse import cache_folder

RUNTIMES = ROOT / "build" / "runtimes"


@cache
def environment() -> Path:
    """The virtual environment that the Runtime of this working tree makes here. Raises BenchmarkError."""
    workshop = Workshop(ROOT, ROOT / "dist", cache_folder(), lambda _step: None)
    try:
        runtime = next(built for built in build(workshop) if built.component == RUNTIME)
    except ReleaseError as error:
        raise BenchmarkError(f"the Runtime can't be built: {error}") from error
    with tempfile.TemporaryDirectory(prefix="runtime-") as folder:
        with zipfile.ZipFile(runtime.folder / f"runtime-{platform.machine()}.zip") as archive:
            archive.extractall(folder)
        argv = [sys.executable, "-u", f"{folder}/install.py", "--version", runtime.version]
        done = subprocess.run(
            [*argv, "--into", str(RUNTIMES)], capture_output=True, text=True, check=False, timeout=600
        )
    if done.returncode:
        raise BenchmarkError(f"the Runtime can't be installed: {done.stderr.strip()}")
    return RUNTIMES / runtime.version / "venv"


def python() -> str:
    return str(environment() / "bin" / "python")
