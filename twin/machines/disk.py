"""A machine's disk: what it wrote, laid over the cached root that it never changes."""

import os
import shutil
import uuid
from pathlib import Path

from twin.machines.host import command
from twin.machines.names import TillNames

HOSTS = """\
127.0.0.1 localhost
127.0.1.1 {hostname}
10.77.0.1 aws.twin.internal data.iot.twin.internal credentials.iot.twin.internal
"""


class Disk:
    """The overlay of one machine; it survives power cuts and shutdowns until it is erased."""

    def __init__(self, names: TillNames, root_image: Path) -> None:
        self.names = names
        self.root_image = root_image
        self.mount_point = names.directory / "root"
        self._upper = names.directory / "upper"
        self._work = names.directory / "work"

    def mount(self) -> None:
        """Mount the disk if it isn't; a new one gets an identity of its own first."""
        if os.path.ismount(self.mount_point):
            return
        for directory in (self.mount_point, self._upper, self._work):
            directory.mkdir(parents=True, exist_ok=True)
        if not (self._upper / "etc").exists():
            self._personalize()
        layers = f"lowerdir={self.root_image},upperdir={self._upper},workdir={self._work}"
        command(["mount", "-t", "overlay", "-o", layers, "overlay", str(self.mount_point)])

    def unmount(self) -> None:
        """Unmount the disk, if it is mounted; its files stay."""
        if os.path.ismount(self.mount_point):
            command(["umount", str(self.mount_point)])

    def erase(self) -> None:
        """Forget everything that the machine wrote."""
        self.unmount()
        if self.names.directory.exists():
            shutil.rmtree(self.names.directory)

    @property
    def hostname(self) -> str:
        """What the machine calls itself."""
        return f"till-{self.names.serial.lower()}"

    def _personalize(self) -> None:
        # Beside, then renamed: a disk without its identity must not pass for a finished one.
        etc = self._upper / ".etc"
        etc.mkdir(exist_ok=True)
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (etc / "hostname").write_text(f"{self.hostname}\n")
        (etc / "hosts").write_text(HOSTS.format(hostname=self.hostname))
        etc.rename(self._upper / "etc")
