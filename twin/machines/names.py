"""Names of what a till occupies on this host: unique per twin, and found again by any process."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

PREFIX = "gt"


def tag(work_dir: Path) -> str:
    """Six hexadecimal digits that tell this twin from others on the same host."""
    return hashlib.sha256(str(work_dir.resolve()).encode()).hexdigest()[:6]


def twin_prefix(work_dir: Path) -> str:
    """What every machine, namespace and cgroup of the twin in `work_dir` starts with."""
    return f"{PREFIX}-{tag(work_dir)}-"


def runtime_dir(work_dir: Path) -> Path:
    """A short path for control sockets, which may not exceed 108 bytes."""
    return Path("/run") / f"greentill-{tag(work_dir)}"


def link_cgroup(work_dir: Path) -> str:
    """The cgroup of the twin's link process; no serial is that short, so none collides."""
    return f"{twin_prefix(work_dir)}lk"


@dataclass(frozen=True)
class TillNames:
    """Names of one till in the twin that lives in `work_dir`."""

    work_dir: Path
    serial: str

    @property
    def machine(self) -> str:
        """Also the name of its cgroup."""
        return f"{twin_prefix(self.work_dir)}{self.serial}"

    @property
    def inner_netns(self) -> str:
        """Holds the machine's eth0."""
        return self.machine

    @property
    def wan_netns(self) -> str:
        """Holds the other end of its cable, where the link listens."""
        return f"{self.machine}-wan"

    @property
    def directory(self) -> Path:
        """What the machine keeps on disk."""
        return machines_dir(self.work_dir) / self.serial


def machines_dir(work_dir: Path) -> Path:
    """Where the machines of a twin keep their files."""
    return work_dir.resolve() / "machines"
