"""The Debian roots that machines stand on: made once, cached, never changed afterwards."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twin.machines.errors import MachineError
from twin.machines.host import command, require_host

Progress = Callable[[str], None]

SUITE = "bookworm"
PACKAGES = (
    "ca-certificates",
    "curl",
    "dbus",
    "fake-hwclock",
    "iproute2",
    "libpam-systemd",
    "logrotate",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "tzdata",
)
# A root that a crash spoils is made again, so nothing need be synced; and nobody reads its manuals.
DPKG_OPTIONS = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
"""
# What a Raspberry Pi image has beyond the packages: its first user, who may use sudo without a password.
FINISH = """\
set -eu
useradd --create-home --shell /bin/bash --groups adm,sudo pi
echo 'pi ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/010_pi-nopasswd
chmod 0440 /etc/sudoers.d/010_pi-nopasswd
for unit in apt-daily.timer apt-daily-upgrade.timer console-getty.service \\
  dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
  ln -sf /dev/null "/etc/systemd/system/$unit"
done
rm -rf /etc/resolv.conf /etc/hostname /var/lib/apt/lists /var/cache/apt
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
: >/etc/machine-id
"""


def silent(line: str) -> None:
    """Report nothing."""


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/greentill/roots`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "greentill" / "roots"


@dataclass(frozen=True)
class Image:
    """What a root is made of. `architecture` is Debian's name of one that the host emulates; None: its."""

    suite: str = SUITE
    packages: tuple[str, ...] = PACKAGES
    finish: str = FINISH
    architecture: str | None = None

    @property
    def path(self) -> Path:
        """Where the root lies once it is made; another recipe lies elsewhere."""
        other = [self.architecture] if self.architecture else []
        recipe = "\n".join([self.suite, *self.packages, DPKG_OPTIONS, self.finish, *other])
        return cache_dir() / hashlib.sha256(recipe.encode()).hexdigest()[:16]


STANDARD = Image()


def root_path() -> Path:
    """Where the root for today's list of packages lies once it is made."""
    return STANDARD.path


def ensure_root(progress: Progress = silent, image: Image = STANDARD) -> Path:
    """The cached root, made first if it isn't there (about a minute); safe to call from several processes.

    `progress` receives one line per step. Raises MachineError with the log's last line when it can't be made.
    """
    target = image.path
    if target.is_dir():
        return target
    require_host()
    target.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(target.with_suffix(".lock"), "makes the same root", progress):
        if not target.is_dir():
            _build(image, target, progress)
    return target


@contextmanager
def one_at_a_time(path: Path, what: str, progress: Progress) -> Iterator[None]:
    """Hold the lock file `path`; whoever comes second says `what` the first one does, and waits."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another process that {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(image: Image, target: Path, progress: Progress) -> None:
    """Make the root beside its place and rename it: a half-made one is never used."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    log = target.with_suffix(".log")
    with log.open("w") as handle:
        first = ["debootstrap", "--foreign", "--variant=minbase", f"--include={','.join(image.packages)}"]
        if image.architecture:
            first.append(f"--arch={image.architecture}")
        _step([*first, image.suite, str(partial), mirror()], handle.fileno(), log, progress)
        options = partial / "etc/dpkg/dpkg.cfg.d/greentill"
        options.parent.mkdir(parents=True, exist_ok=True)
        options.write_text(DPKG_OPTIONS)
        _step(_second_stage(image, partial), handle.fileno(), log, progress)
        progress("Finishing the root")
        _step(["chroot", str(partial), "/bin/sh", "-c", image.finish], handle.fileno(), log, progress)
    partial.rename(target)


def _second_stage(image: Image, partial: Path) -> list[str]:
    if image.architecture is None:
        return ["chroot", str(partial), "/debootstrap/debootstrap", "--second-stage"]
    # Run by this host, which emulates only what is called inside: many times faster.
    scripts = f"DEBOOTSTRAP_DIR={partial / 'debootstrap'}"
    return ["env", scripts, "debootstrap", "--second-stage", f"--second-stage-target={partial}"]


def mirror() -> str:
    """The mirror that this host's apt takes its own suite from; the others lie beside it."""
    lines = command(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"])
    for line in lines.splitlines():
        release, _, uri = line.partition(" ")
        if release == SUITE:
            return uri
    raise MachineError(f"The apt sources of this host don't name Debian {SUITE}: add it, then try again.")


def _step(argv: list[str], log_fd: int, log: Path, progress: Progress) -> None:
    """Run one step where it can leave nothing behind: its mounts and processes end with it, or with us."""
    contained = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    environment |= {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    with subprocess.Popen(
        [*contained, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log_fd,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 (asked for with PIPE)
        last = ""
        for line in process.stdout:
            os.write(log_fd, line.encode())
            if line.startswith(("I: ", "E: ")):
                last = line.strip()
                progress(last.removeprefix("I: "))
    if process.returncode != 0:
        raise MachineError(
            f"Making the Debian root failed at “{last or argv[0]}”: see {log}, then try again."
        )
