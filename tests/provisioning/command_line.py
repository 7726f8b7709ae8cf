"""`greentill` as its users have it: a process of its own, in a clone whose fleet.toml is the fleet's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cloud.cdk import REPOSITORY
from tests.conftest import Cloud
from tests.waiting import PATIENCE_SECONDS

PACKAGES = (
    "greentill",
    "fleet_provisioning",
    "infra",
    "release",
    "sales",
    "catalogue",
    "edge_components",
    "pi_bootstrap",
    "twin",
)


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said; words are as the reader has them, without line breaks."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.out))

    @property
    def words(self) -> str:
        return " ".join(f"{self.out} {self.err}".split())


@dataclass(frozen=True)
class CommandLine:
    clone: Path
    cloud: Cloud

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        told = {key: value for key, value in self.cloud.environment.items() if key.startswith("AWS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "greentill", "till", *arguments],
            cwd=self.clone,
            env={**plain, **told, "PYTHONPATH": str(self.clone)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def till(self, *arguments: str) -> Told:
        return ended(self.start(*arguments))


def ended(process: subprocess.Popen[str]) -> Told:
    """What a started command says in the end; one that doesn't end is killed."""
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end: {out}{err}") from None
    return Told(process.returncode, out, err)


def clone_product(folder: Path) -> None:
    """Everything that the command line runs, into a clone that has a fleet.toml already."""
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
