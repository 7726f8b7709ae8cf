"""Starts a component with the Runtime it was built against; waits while that is being installed.

Standard library only, and runs on the machine's own Python: it is what makes a component a few kilobytes.
    python3 -u launcher.py --runtime 1.0.0 edge_components.pos
"""

import argparse
import fcntl
import os
import sys
import time
from pathlib import Path

RUNTIMES = "/var/lib/greentill/runtime"
POLL_SECONDS = 0.5
REMIND_SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runtime", required=True, help="the Runtime version to wait for")
    parser.add_argument("--runtimes", default=RUNTIMES, help="where Runtime versions are installed")
    parser.add_argument("module", help="what to run, such as edge_components.pos")
    arguments, rest = parser.parse_known_args()
    runtime = Path(arguments.runtimes) / arguments.runtime
    wait_for(runtime / "ready")
    hold(runtime / "ready")
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent))
    # -P: the working folder is not searched, so nothing that lies there takes the place of our package
    python = str(runtime / "venv" / "bin" / "python")
    os.execve(python, [python, "-P", "-u", "-m", arguments.module, *rest], environment)  # noqa: S606 - becomes the component


def wait_for(ready: Path) -> None:
    """Return once `ready` exists; an install over a bad line or on a slow card may take many minutes."""
    reminded = float("-inf")
    while not ready.exists():
        if time.monotonic() - reminded >= REMIND_SECONDS:
            print(f"Waiting for the Runtime: {ready} isn't there yet.", file=sys.stderr, flush=True)  # noqa: T201
            reminded = time.monotonic()
        time.sleep(POLL_SECONDS)


def hold(ready: Path) -> None:
    """Keep a shared lock through the exec, for the life of the process: a used Runtime is never removed."""
    descriptor = os.open(ready, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


if __name__ == "__main__":
    main()
