"""A till whose components run as on a Pi: from folders of their own, through the launcher, compiled once."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import runtime
from benchmarks.figure import ROOT
from tests.soak.tills import Account, Till

_RUNTIME = "bench"


class LaunchedTill(Till):
    """`running` holds the launchers; each has its component as its only child."""

    def __init__(self, serial: str, folder: Path, found: Account | None, **pos: Any) -> None:
        super().__init__(serial, folder, found, **pos)
        self._runtimes = folder / "runtimes"
        installed = self._runtimes / _RUNTIME
        installed.mkdir(parents=True, exist_ok=True)
        environment = installed / "venv"
        if not environment.exists():
            environment.symlink_to(runtime.environment())
        (installed / "ready").touch()
        self._artifact = folder / "artifact"
        if not self._artifact.exists():
            unpack(self._artifact)

    def start(self, *names: str) -> None:
        for name in names or self.environment:
            argv = [sys.executable, "-u", str(self._artifact / "launcher.py"), "--runtime", _RUNTIME]
            argv += ["--runtimes", str(self._runtimes), f"edge_components.{name}"]
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    argv, env=self.environment[name], cwd=self.folder, stdout=log, stderr=log
                )


def unpack(artifact: Path) -> None:
    """What a component's archive holds, for all of them in one."""
    source = ROOT / "edge_components"
    shutil.copytree(
        source, artifact / source.name, ignore=shutil.ignore_patterns("__pycache__", "launcher.py")
    )
    shutil.copyfile(source / "launcher.py", artifact / "launcher.py")
