"""Starts a component with the Runtime it was built against; waits while that is being installed.

A nucleus gives a component up after three failures in an hour, until the next deployment. So one that has run
well is started again from here, without end; one that fails at its start is the nucleus's to judge, which
rolls such a deployment back.

Standard library only, and runs on the machine's own Python: it is what makes a component a few kilobytes.
    python3 -u launcher.py --runtime 1.0.0 edge_components.pos
"""

import argparse
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

RUNTIMES = "/var/lib/greentill/runtime"
POLL_SECONDS = 0.5
REMIND_SECONDS = 60.0
WELL_AFTER_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 30.0
PR_SET_PDEATHSIG = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runtime", required=True, help="the Runtime version to wait for")
    parser.add_argument("--runtimes", default=RUNTIMES, help="where Runtime versions are installed")
    parser.add_argument("--well-after", type=float, default=WELL_AFTER_SECONDS, help="seconds it has to run")
    parser.add_argument("module", help="what to run, such as edge_components.pos")
    arguments, rest = parser.parse_known_args()
    runtime = Path(arguments.runtimes) / arguments.runtime
    wait_for(runtime / "ready")
    hold(runtime / "ready")
    python = str(runtime / "venv" / "bin" / "python")
    code = compiled(Path(__file__).resolve().parent, runtime / "code" / arguments.module, python)
    environment = dict(os.environ, PYTHONPATH=str(code))
    # -P: the working folder is not searched, so nothing that lies there takes the place of our package
    sys.exit(
        keep_running([python, "-P", "-u", "-m", arguments.module, *rest], environment, arguments.well_after)
    )


def keep_running(command: list[str], environment: dict[str, str], well_after: float) -> int:
    """Run `command` until this is ended, or it fails before it ever ran well; its exit status.

    A component that ends with 0 without being asked wants to start afresh.
    """
    libc = ctypes.CDLL(None)
    child: subprocess.Popen[bytes] | None = None
    ending = False

    def end(number: int, _frame: object) -> None:
        nonlocal ending
        ending = True
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    well, pause = False, 0.0
    while not ending:
        began = time.monotonic()
        child = subprocess.Popen(
            command,
            env=environment,
            close_fds=False,
            # it must not outlive this process; and there are no threads here
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
        )
        if ending:
            child.terminate()
        status = child.wait()
        ran_well = time.monotonic() - began >= well_after
        well = well or ran_well
        if ending or (status != 0 and not well):
            return status if status >= 0 else 128 - status
        pause = 0.0 if ran_well else min(LONGEST_PAUSE_SECONDS, max(0.5, pause * 2))
        print(f"It ended with {status}: starting it again in {pause:g} s.", file=sys.stderr, flush=True)  # noqa: T201
        time.sleep(pause)
    return 0


def compiled(artifact: Path, folder: Path, python: str) -> Path:
    """A copy of the component's code with its bytecode: a third of the time until a till sells.

    An artifact's folder is not writable, so Python would compile it anew at every start. The copy is whole or
    not there, and goes with its Runtime or its successor. Returns the artifact's own folder where no copy can
    be made.
    """
    package = artifact / "edge_components"
    target = folder / digest(package)
    if target.exists():
        return target
    part = folder / "part"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for path in files(package):
            copy = part / path.relative_to(artifact)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)  # not its mode: what it lies in must be writable here
        subprocess.run([python, "-m", "compileall", "-q", str(part)], check=True)
        os.sync()  # before the name: after a power cut there is either a whole copy or none
        part.rename(target)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"No bytecode is kept, so it starts slowly: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return artifact
    return target


def digest(package: Path) -> str:
    """Of all names and contents, so that no other code is ever taken for this."""
    found = hashlib.sha256()
    for path in files(package):
        content = path.read_bytes()
        found.update(f"{path.relative_to(package)} {len(content)}\n".encode() + content)
    return found.hexdigest()[:32]


def files(package: Path) -> list[Path]:
    there = sorted(path for path in package.rglob("*") if path.is_file())
    return [path for path in there if path.parent.name != "__pycache__"]


def wait_for(ready: Path) -> None:
    """Return once `ready` exists; an install over a bad line or on a slow card may take many minutes."""
    reminded = float("-inf")
    while not ready.exists():
        if time.monotonic() - reminded >= REMIND_SECONDS:
            print(f"Waiting for the Runtime: {ready} isn't there yet.", file=sys.stderr, flush=True)  # noqa: T201
            reminded = time.monotonic()
        time.sleep(POLL_SECONDS)


def hold(ready: Path) -> None:
    """Keep a shared lock, here and in the component, while one of them lives: a used Runtime stays."""
    descriptor = os.open(ready, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


if __name__ == "__main__":
    main()
