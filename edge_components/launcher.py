"""Starts a component with the Runtime it was built against; waits while that is being installed.

It then makes way for `edgekit/supervise.py`, which starts the component and takes less memory.

Standard library only, and runs on the machine's own Python: it is what makes a component a few kilobytes.
    python3 -u launcher.py --runtime 1.0.0 edge_components.pos
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

RUNTIMES = "/var/lib/greentill/runtime"
POLL_SECONDS = 0.5
REMIND_SECONDS = 60.0
WELL_AFTER_SECONDS = 20.0


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
    artifact = Path(__file__).resolve().parent
    code = compiled(artifact, runtime / "code" / arguments.module, python)
    # A copy doesn't tell which version it is of; where the nucleus unpacked the component does.
    environment = dict(os.environ, PYTHONPATH=str(code), GREENTILL_ARTIFACT=str(artifact))
    supervise = str(code / "edge_components" / "edgekit" / "supervise.py")
    # -P: the working folder is not searched, so nothing that lies there takes the place of our package
    command = [python, "-P", "-u", "-m", arguments.module, *rest]
    here = [sys.executable, "-P", "-S", "-u", supervise, str(arguments.well_after)]
    os.execve(here[0], [*here, *command], environment)  # noqa: S606 - no shell is what is wanted


def compiled(artifact: Path, folder: Path, python: str) -> Path:
    """A copy of the component's code with its bytecode: a third of the time until a till sells.

    An artifact's folder is not writable, so Python would compile it anew at every start. The copy is whole or
    not there, and goes with its Runtime or its successor. Returns the artifact's own folder where no copy can
    be made.
    """
    package = artifact / "edge_components"
    target, part = folder / digest(package), folder / "part"
    try:
        if sizes(target / "edge_components") == sizes(package):  # a bad card may have lost some of it
            return target
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
        shutil.rmtree(part, ignore_errors=True)  # of a full disk it would take what is left
        return artifact
    return target


def digest(package: Path) -> str:
    """Of all names and contents, so that no other code is ever taken for this."""
    found = hashlib.sha256()
    for path in files(package):
        content = path.read_bytes()
        found.update(f"{path.relative_to(package)} {len(content)}\n".encode() + content)
    return found.hexdigest()[:32]


def sizes(package: Path) -> list[tuple[Path, int]]:
    return [(path.relative_to(package), path.stat().st_size) for path in files(package)]


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
