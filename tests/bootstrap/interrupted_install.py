"""Loses power during an installation, and says what a finished installation has left on the machine."""

from __future__ import annotations

from pathlib import Path

from tests.bootstrap import aws_iot
from tests.bootstrap.kit_folder import write_flavour, write_kit
from twin.machines import Machine

INSTALL = ["env", "SUDO_USER=pi", "HEALTH_SECONDS=0", "bash", "/home/pi/kit/pi_bootstrap.sh"]
INSTALL += ["--nucleus-dir", "/home/pi/nucleus"]
# Users, groups, files with owner, mode and content, units, packages and what is left of the claim; not what
# differs between any two runs: times and the log's text.
MANIFEST = r"""
set -eu
getent passwd ggc_user; getent group ggc_group; id -nG pi
for unit in greengrass.service greentill-helper.path greentill-rotation.timer greentill-mend.service; do
  echo "$unit $(systemctl is-enabled $unit) $(systemctl show -p LoadState --value $unit)"
done
for unit in greengrass.service greentill-helper.path greentill-rotation.timer; do
  echo "$unit $(systemctl is-active $unit)"
done
for folder in /greengrass /var/lib/greentill /etc/greentill /usr/local/lib/greentill* /etc/systemd \
  /etc/tmpfiles.d /etc/logrotate.d /run/greentill /home/pi/kit /home/ggc_user /var/cache/greentill; do
  [ -e "$folder" ] || continue
  find "$folder" -printf '%p %y %U:%G %m %l\n' | grep -v '/run/greentill/lock' | sort
  find "$folder" -type f ! -name '*.was' ! -name lock -exec sha256sum {} + | sort -k 2
done
stat -c '%n %U:%G %a' /var/log/greentill /var/log/greentill/bootstrap.log
dpkg-query -W -f '${Package} ${db:Status-Status}\n'
"""


class PowerLostError(Exception):
    """The machine is off."""


def prepare(machine: Machine, scratch: Path, folders: tuple[Path, Path]) -> None:
    """Boot a machine that has a kit and a nucleus to install; `folders` are the kit and the nucleus."""
    machine.boot()
    aws_iot.begin(machine, scratch)
    machine.copy_in(folders[0], "/home/pi/kit")
    machine.copy_in(folders[1], "/home/pi/nucleus")


def write_folders(scratch: Path) -> tuple[Path, Path]:
    """The kit and the nucleus that every machine of a comparison is given."""
    return write_kit(scratch / "kit"), write_flavour(scratch / "nucleus")


def install(machine: Machine) -> list[str]:
    """Run the script to its end; the lines that it said."""
    lines: list[str] = []
    status = machine.stream(INSTALL, lines.append, timeout=600)
    assert status == 0, "\n".join(lines)
    return lines


def install_until(machine: Machine, line: str) -> bool:
    """Run the script and lose power at the moment it says `line`; whether it did."""

    def watch(said: str) -> None:
        if said == line:
            machine.power_cut()
            raise PowerLostError

    try:
        machine.stream(INSTALL, watch, timeout=600)
    except PowerLostError:
        return True
    return False


def steps(lines: list[str]) -> list[str]:
    """The lines that begin a step."""
    return [line for line in lines if line.startswith("step ")]


def manifest(machine: Machine) -> str:
    """What the installation has left."""
    done = machine.run(["sh", "-c", MANIFEST], timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
