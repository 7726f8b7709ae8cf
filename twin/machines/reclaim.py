"""End what an earlier run left behind, however it ended: its folder gives every name."""

import os
import re
import shutil
from pathlib import Path

from twin.machines import cgroup, network
from twin.machines.host import command, require_host
from twin.machines.machine import NSPAWN_PROPAGATE
from twin.machines.names import machines_dir, runtime_dir, twin_prefix

OCTAL = re.compile(r"\\([0-7]{3})")  # how /proc writes blanks, tabs, newlines and backslashes


def leftovers(work_dir: Path) -> list[str]:
    """What of the twin in `work_dir` is still on this host: processes, mounts, namespaces, sockets."""
    found = [f"processes in cgroup {name}" for name in cgroup.names(twin_prefix(work_dir))]
    found += [f"mount {mount}" for mount in _mounts(work_dir)]
    found += [f"network namespace {name}" for name in network.leftovers(work_dir)]
    if runtime_dir(work_dir).exists():
        found.append(f"directory {runtime_dir(work_dir)}")
    return found


def reclaim(work_dir: Path, *, erase: bool = False) -> list[str]:
    """End and remove all `leftovers`; with `erase`, the machines' disks too. Returns what there was."""
    found = leftovers(work_dir)
    if found or erase:
        require_host()
    for name in cgroup.names(twin_prefix(work_dir)):
        cgroup.kill(name)
        cgroup.remove(name)
    for mount in _mounts(work_dir):
        command(["umount", mount])
    for netns in network.leftovers(work_dir):
        command(["ip", "netns", "delete", netns])
    for directory in NSPAWN_PROPAGATE.glob(f"{twin_prefix(work_dir)}*"):
        directory.rmdir()
    if runtime_dir(work_dir).exists():
        shutil.rmtree(runtime_dir(work_dir))
    if erase and machines_dir(work_dir).exists():
        shutil.rmtree(machines_dir(work_dir))
    return found


def _mounts(work_dir: Path) -> list[str]:
    """Mounts below the machines' folder, the innermost first."""
    below = f"{machines_dir(work_dir)}{os.sep}"
    fields = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    paths = (OCTAL.sub(lambda digits: chr(int(digits[1], 8)), field) for field in fields)
    return sorted((path for path in paths if path.startswith(below)), reverse=True)
