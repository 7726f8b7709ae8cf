"""One Debian machine: boots, runs commands, loses power, boots again on the same disk."""

import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from twin.machines import cgroup, network
from twin.machines.disk import Disk
from twin.machines.errors import MachineError
from twin.machines.host import require_host
from twin.machines.names import TillNames

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_SECONDS = 60.0
SHUTDOWN_SECONDS = 15.0
IN_MEMORY = ("run", "tmp", "dev", "proc", "sys")  # not on the disk: reachable only while the machine runs
# What systemd-nspawn --keep-unit exits with when the machine reboots from inside.
REBOOT_STATUS = 133
NSPAWN_PROPAGATE = Path("/run/systemd/nspawn/propagate")


class Machine:
    """A till's computer. All that it is can be found again from `serial` and `work_dir`, by any process.

    `root_image` is what `ensure_root` returned. Nothing happens before `boot`.
    """

    def __init__(self, serial: str, root_image: Path, work_dir: Path) -> None:
        self.serial = serial
        self.names = TillNames(work_dir, serial)
        self.disk = Disk(self.names, root_image)
        self.console = self.names.directory / "console.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether any process of the machine lives."""
        return cgroup.populated(self.names.machine)

    @property
    def pid(self) -> int:
        """The process id, on this host, of the machine's PID 1; MachineError when it is off."""
        leader = self._find_leader()
        if leader is None:
            raise MachineError(f"{self.serial} is not running: boot it first.")
        return leader

    def boot(self, timeout: float = BOOT_SECONDS) -> None:
        """Switch the machine on and wait until systemd has started everything (`timeout` in seconds).

        Does nothing when it runs already. Lays the cable and mounts the disk if need be.
        """
        require_host()
        if not self.running:
            self._remove_runtime()
            network.ensure(self.names)
            self.disk.mount()
            self._start()
        self._wait_until_started(timeout)

    def run(
        self,
        argv: Sequence[str],
        *,
        user: str = "root",
        stdin: str | None = None,
        timeout: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as `user`, and return what it printed and its exit status."""
        with self._inside(argv, user) as (entered, group):
            try:
                return subprocess.run(
                    entered, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
                )
            except subprocess.TimeoutExpired as error:
                cgroup.kill(group)
                raise MachineError(_took_too_long(argv, self.serial, error.timeout)) from error

    def stream(
        self, argv: Sequence[str], on_line: Callable[[str], None], *, user: str = "root", timeout: float = 600
    ) -> int:
        """Run a command inside and hand over each line of its output and errors as it comes; the exit status.

        A command that takes longer than `timeout` seconds is killed and raises MachineError.
        """
        expired = threading.Event()
        with (
            self._inside(argv, user) as (entered, group),
            subprocess.Popen(
                entered,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 (asked for with PIPE)

            def expire() -> None:
                expired.set()
                cgroup.kill(group)

            timer = threading.Timer(timeout, expire)
            timer.start()
            try:
                for line in process.stdout:
                    on_line(line.rstrip("\n"))
                process.wait()
            except BaseException:
                cgroup.kill(group)
                raise
            finally:
                timer.cancel()
        if expired.is_set():
            raise MachineError(_took_too_long(argv, self.serial, timeout))
        return process.returncode

    def path(self, inside: str | Path) -> Path:
        """The file `inside` as seen from outside; while the machine is off too, unless it lives in memory."""
        relative = Path(inside).relative_to("/") if Path(inside).is_absolute() else Path(inside)
        if relative.parts and relative.parts[0] in IN_MEMORY:
            return Path(f"/proc/{self.pid}/root") / relative
        self.disk.mount()
        return self.disk.mount_point / relative

    def copy_in(self, src: Path, dst: str | Path) -> None:
        """Copy a file, or a folder with all that it holds, to `dst` inside; modes are kept, root owns it."""
        target = self.path(dst)
        target.parent.mkdir(parents=True, exist_ok=True)
        if src.is_dir():
            shutil.copytree(src, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(src, target)

    def power_cut(self) -> None:
        """Pull the plug: every process is killed at once, nothing is flushed, no connection is closed.

        Disk and cable stay.
        """
        if self.running and network.complete(self.names):
            with network.dead_end(self.names):
                self._end()
        self._end()

    def halt(self, grace: float = SHUTDOWN_SECONDS) -> None:
        """Switch off in good order; what runs after `grace` seconds loses power. Disk and cable stay."""
        leader = self._find_leader()
        if leader is not None:
            os.kill(leader, signal.SIGRTMIN + 3)
            deadline = time.monotonic() + grace
            while self.running and time.monotonic() < deadline:
                self._poll()
                time.sleep(0.02)
        self._end()

    def shutdown(self, grace: float = SHUTDOWN_SECONDS) -> None:
        """Switch off in good order and leave nothing on the host but the machine's files."""
        self.halt(grace)
        self.disk.unmount()
        network.remove(self.names)

    def erase(self) -> None:
        """Cut the power and forget the machine, its disk included."""
        self._end()
        self.disk.erase()
        network.remove(self.names)

    def _start(self) -> None:
        group = cgroup.create(self.names.machine)
        nspawn = [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--settings=no",
            "--console=read-only",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            f"--network-namespace-path={network.NETNS_DIR / self.names.inner_netns}",
            f"--machine={self.names.machine}",
            f"--hostname={self.disk.hostname}",
            f"--directory={self.disk.mount_point}",
        ]
        again = ["/bin/sh", "-c", f'while "$@"; [ $? -eq {REBOOT_STATUS} ]; do :; done', "machine", *nspawn]
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                cgroup.entering(group, again),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={"PATH": PATH, "UNIFIED_CGROUP_HIERARCHY": "1"},
                start_new_session=True,  # Ctrl-C at the terminal must not cut the power
            )
        _wait(lambda: self.running or self._poll(), 5)

    def _wait_until_started(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        state = ""
        while time.monotonic() < deadline:
            if self._poll() or not self.running:
                raise MachineError(f"{self.serial} stopped while booting: see {self.console}.")
            if self._find_leader() is not None:
                state = self.run(["systemctl", "is-system-running"], timeout=timeout).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.05)
        raise MachineError(
            f"{self.serial} was not up after {timeout:.0f} s ({state or 'no answer'}): see {self.console}."
        )

    @contextmanager
    def _inside(self, argv: Sequence[str], user: str) -> Iterator[tuple[list[str], str]]:
        """The command line that runs `argv` inside, and the cgroup that holds whatever it starts."""
        home = "/root" if user == "root" else f"/home/{user}"
        environment = [f"PATH={PATH}", f"HOME={home}", f"USER={user}", "LANG=C.UTF-8", "TERM=dumb"]
        become = [] if user == "root" else ["/sbin/runuser", "--user", user, "--"]
        entered = [
            "nsenter",
            "--target",
            str(self.pid),
            "--all",
            "--",
            "/usr/bin/env",
            "-i",
            *environment,
        ]
        group = f"{self.names.machine}/payload/operator-{secrets.token_hex(4)}"
        try:
            directory = cgroup.create(group)
            yield cgroup.entering(directory, [*entered, *become, *argv]), group
        finally:
            cgroup.remove_if_empty(group)

    def _find_leader(self) -> int | None:
        """The process id, out here, of the machine's PID 1."""
        return cgroup.first_process(f"{self.names.machine}/payload/init.scope")

    def _poll(self) -> bool:
        """Whether the process that held the machine, if it is ours, has ended."""
        return self._process is not None and self._process.poll() is not None

    def _end(self) -> None:
        cgroup.kill(self.names.machine)
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._remove_runtime()

    def _remove_runtime(self) -> None:
        cgroup.remove(self.names.machine)
        (self.names.directory / f".#{self.disk.mount_point.name}.lck").unlink(missing_ok=True)
        propagate = NSPAWN_PROPAGATE / self.names.machine
        if propagate.is_dir():
            propagate.rmdir()


def _wait(condition: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def _took_too_long(argv: Sequence[str], serial: str, seconds: float) -> str:
    return f"`{' '.join(argv)}` on {serial} took longer than {seconds:.0f} s and was ended."
