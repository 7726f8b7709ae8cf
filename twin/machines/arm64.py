"""Debian roots for arm64, as on a Pi: every program in them runs through qemu's user emulation."""

from pathlib import Path

from twin.machines.host import require_host
from twin.machines.machine import Machine
from twin.machines.qemu import emulate
from twin.machines.roots import FINISH, Image, Progress, ensure_root, silent

BOOT_SECONDS = 600.0
SUITES = ("bookworm", "trixie")
UNITS = "/usr/lib/systemd/system"
# Credentials, and mounts of a service's own, are beyond qemu (EINVAL where PID 1 sets them up). Debian's own
# units ask for both; Greentill's for neither.
BEYOND_QEMU = {
    "ImportCredential": "",
    "LoadCredential": "",
    "PrivateDevices": "no",
    "PrivateTmp": "no",
    "ProtectControlGroups": "no",
    "ProtectHome": "no",
    "ProtectKernelLogs": "no",
    "ProtectKernelModules": "no",
    "ProtectKernelTunables": "no",
    "ProtectProc": "default",
    "ProtectSystem": "no",
    "ReadWritePaths": "",
}
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


def ensure_arm64_root(suite: str, progress: Progress = silent) -> Path:
    """The cached arm64 root of `suite`, made first if it isn't there (half an hour, on two cores).

    Raises MachineError when this host can't run arm64 programs, or the root can't be made.
    """
    require_host()
    emulate(progress)
    return ensure_root(progress, image(suite))


def boot_cleanly(machine: Machine) -> None:
    """Boot, without what systemd can't set up for a service under qemu."""
    units = [path for path in machine.path(UNITS).glob("*.service") if not path.is_symlink()]
    used = {line.partition("=")[0] for path in units for line in path.read_text().splitlines()}
    settings = [f"{key}={value}\n" for key, value in BEYOND_QEMU.items() if key in used]
    drop_in = machine.path("/etc/systemd/system/service.d/emulated.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("".join(["[Service]\n", *settings]))
    machine.boot(timeout=BOOT_SECONDS)
