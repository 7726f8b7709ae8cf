"""Debian roots for arm64, as on a Pi: every program in them runs through qemu's user emulation."""

import shutil
from pathlib import Path

from twin.machines.errors import MachineError
from twin.machines.host import command, refusal
from twin.machines.machine import Machine
from twin.machines.roots import FINISH, Image, Progress, ensure_root, silent

BOOT_SECONDS = 600.0
CREDENTIALS = ("LoadCredential=", "ImportCredential=")
CREDENTIAL_UNITS = ("systemd-sysusers", "systemd-tmpfiles-setup", "systemd-tmpfiles-setup-dev")
# systemd 257 starts every service with pidfd_spawn, which qemu 7.2 refuses (EINVAL). So trixie's root can be
# made and entered, but nothing that its PID 1 is to start runs there.
BOOTABLE = ("bookworm",)
BINFMT = Path("/proc/sys/fs/binfmt_misc")
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "openssl",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "tzdata",
)
# What the bootstrap is to install by itself; it finds them in BUNDLE, so that no test needs a network.
LEFT_OUT = ("curl", "logrotate", "python3-venv")
BUNDLE = "/srv/bundle"
KEEP_PACKAGES = f"""\
set -eu
mkdir -p {BUNDLE}/packages/partial
apt-get --quiet update
apt-get --quiet --yes --no-install-recommends --download-only -o Dir::Cache::archives={BUNDLE}/packages \\
  install {" ".join(LEFT_OUT)}
rm -rf {BUNDLE}/packages/partial {BUNDLE}/packages/lock
cd {BUNDLE}
sha256sum packages/*.deb >SHA256SUMS
"""


def image(suite: str) -> Image:
    """The recipe of the arm64 root of a Debian release, without the packages that the bootstrap installs."""
    return Image(suite, PACKAGES, KEEP_PACKAGES + FINISH, "arm64")


def arm64_refusal() -> str | None:
    """Why no arm64 program can run here, as a sentence that says what to do; None when all is there."""
    missing = [tool for tool in ("qemu-aarch64-static", "update-binfmts") if shutil.which(tool) is None]
    if missing:
        return "arm64 machines need Debian's qemu-user-static and binfmt-support: install both."
    return refusal()


def ensure_arm64_root(suite: str, progress: Progress = silent) -> Path:
    """The cached arm64 root of `suite`, made first if it isn't there (several minutes).

    Raises MachineError when this host can't run arm64 programs, or the root can't be made.
    """
    reason = arm64_refusal()
    if reason:
        raise MachineError(reason)
    emulate()
    return ensure_root(progress, image(suite))


def emulate() -> None:
    """Have the kernel run arm64 programs; qemu is loaded here and now, so it also works inside a root."""
    if not (BINFMT / "status").exists():
        command(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)])
    if not (BINFMT / "qemu-aarch64").exists():
        command(["update-binfmts", "--enable", "qemu-aarch64"])


def boot_cleanly(machine: Machine) -> None:
    """Boot, without the credentials of systemd's own units: handing them over is beyond qemu's emulation."""
    for unit in CREDENTIAL_UNITS:
        settings = machine.path(f"/usr/lib/systemd/system/{unit}.service").read_text().splitlines()
        credentials = sorted({line.partition("=")[0] for line in settings if line.startswith(CREDENTIALS)})
        drop_in = machine.path(f"/etc/systemd/system/{unit}.service.d/emulated.conf")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text("".join(["[Service]\n", *(f"{name}=\n" for name in credentials)]))
    machine.boot(timeout=BOOT_SECONDS)
