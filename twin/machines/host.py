"""What this host must offer, and how its tools are called."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from twin.machines import cgroup
from twin.machines.errors import MachineError

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}


def refusal() -> str | None:
    """Why no machine can run here, as a sentence that says what to do; None when all is there."""
    if os.geteuid() != 0:
        return "Booting tills needs root: run the same command with sudo."
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        return f"Booting tills needs Debian packages that are missing: apt-get install {' '.join(missing)}."
    if cgroup.hierarchy() is None:
        return (
            "Booting tills needs a cgroup v2 hierarchy: mount one (mount -t cgroup2) or use a newer kernel."
        )
    return None


def require_host() -> None:
    """Raise MachineError when `refusal` has something to say."""
    reason = refusal()
    if reason:
        raise MachineError(reason)


def command(
    argv: Sequence[str],
    timeout: float = 60,
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a tool of this host and return what it printed; MachineError with its last words if it fails.

    `timeout` is in seconds; `environment` is added to this process's.
    """
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=directory,
            env={**os.environ, **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"`{' '.join(argv)}` did not finish: {error}.") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise MachineError(f"`{' '.join(argv)}` failed: {words[-1] if words else done.returncode}.")
    return done.stdout
