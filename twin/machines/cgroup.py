"""Control groups: how every process of a machine is found and ended at once, without process ids."""

import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from twin.machines.errors import MachineError


@cache
def hierarchy() -> Path | None:
    """Where cgroup v2 is mounted, or None."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2" and "rw" in fields[3].split(","):
            return Path(fields[1])
    return None


def _require_hierarchy() -> Path:
    found = hierarchy()
    if found is None:
        raise MachineError(
            "No writable cgroup v2 hierarchy is mounted here: mount one with mount -t cgroup2."
        )
    return found


def path(name: str) -> Path:
    """The directory of a top-level group."""
    return _require_hierarchy() / name


def create(name: str) -> Path:
    """Make the group if need be."""
    directory = path(name)
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise MachineError(f"The cgroup {name} can't be made: {error}.") from error
    return directory


def populated(name: str) -> bool:
    """Whether a process lives in the group or below it."""
    try:
        return "populated 1" in (path(name) / "cgroup.events").read_text()
    except OSError:  # gone, or going while it was read
        return False


def kill(name: str, grace: float = 10) -> None:
    """SIGKILL every process in the group at once, and wait up to `grace` seconds for the last to go."""
    if not populated(name):
        return
    try:
        (path(name) / "cgroup.kill").write_text("1")
    except OSError as error:
        if not populated(name):
            return
        raise MachineError(
            "This kernel can't kill a cgroup at once: Linux 5.14 or later is needed."
        ) from error
    deadline = time.monotonic() + grace
    while populated(name):
        if time.monotonic() > deadline:
            raise MachineError(
                f"Processes in the cgroup {name} survived SIGKILL: see {path(name)}/cgroup.procs."
            )
        time.sleep(0.005)


def remove(name: str) -> None:
    """Remove the emptied group, also where systemd mirrors it in a version 1 hierarchy."""
    for root in (_require_hierarchy(), Path("/sys/fs/cgroup/systemd")):
        top = root / name
        if not top.is_dir():
            continue
        below = (found for found in top.rglob("*") if found.is_dir())
        for directory in [*sorted(below, key=lambda found: -len(found.parts)), top]:
            with suppress(FileNotFoundError):  # somebody else who ends this machine was faster
                directory.rmdir()


def remove_if_empty(name: str) -> None:
    """Remove the group unless something lives on in it, as a daemon does that a command left behind."""
    with suppress(OSError):
        path(name).rmdir()


def names(prefix: str) -> list[str]:
    """Top-level groups whose name starts with `prefix`."""
    found = hierarchy()
    return sorted(entry.name for entry in found.glob(f"{prefix}*")) if found else []


def entering(directory: Path, argv: list[str]) -> list[str]:
    """`argv`, run from inside the group `directory`: it joins first, so nothing escapes."""
    return ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(directory), *argv]


def first_process(name: str) -> int | None:
    """The process in the group that is PID 1 of a namespace of its own; None when there is none."""
    try:
        candidates = (path(name) / "cgroup.procs").read_text().split()
    except OSError:
        return None
    for pid in candidates:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
        if len(ids) > 1 and ids[-1] == "1":
            return int(pid)
    return None
