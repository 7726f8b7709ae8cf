"""The real CDK command line against the twin's cloud."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Cloud
from twin import cloud as twin_cloud

REPOSITORY = Path(__file__).parents[2]
LONGEST_SECONDS = 900


def cdk(clone: Path, cloud: Cloud, *arguments: str) -> None:
    """Run it on the app in `clone`, as the cloud's root."""
    done = subprocess.run(
        [str(REPOSITORY / "node_modules" / ".bin" / "cdk"), *arguments, "--app", f"{sys.executable} app.py"],
        cwd=clone,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(clone),
            "PYTHONPATH": str(REPOSITORY),
            "NODE_NO_WARNINGS": "1",
            **twin_cloud.environment(cloud.state),
        },
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def bootstrap(clone: Path, cloud: Cloud) -> None:
    """Once per cloud: two at the same time would meet in one stack."""
    done = shared(cloud) / "bootstrapped"
    with locked(shared(cloud) / "bootstrap.lock"):
        if not done.exists():
            cdk(clone, cloud, "bootstrap")
            done.touch()


def shared(cloud: Cloud) -> Path:
    """A folder that lives as long as the cloud does."""
    return Path(cloud.state.cloud.log).parent


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time, over all workers of a run."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
