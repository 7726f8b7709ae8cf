"""Bring tills up: boot a machine per kit, run the kit's own bootstrap in it, wait until it sells."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twin import state as twin_state
from twin.link import Link, LinkError, TillLink, Upstreams
from twin.machines import Machine, MachineError, ensure_root, root_path
from twin.state import State, TillState

KIT_INSIDE = "/home/pi/kit"
NUCLEUS_INSIDE = "/home/pi/nucleus"
BOOTSTRAP_SECONDS = 300.0
OPERATOR = "pi"

Report = Callable[[str, str], None]  # serial, a line of what happens on that till


class FleetError(Exception):
    """A till did not come up; one sentence that says which, why, and where to look."""


@dataclass(frozen=True)
class Kit:
    """A kit folder that `greentill till kit` wrote."""

    folder: Path
    serial: str


def read_kit(folder: Path) -> Kit:
    """The kit in `folder`; FleetError when it isn't one."""
    settings = folder / "till.conf"
    try:
        lines = settings.read_text().splitlines()
    except OSError as error:
        raise FleetError(
            f"{folder} is no kit, for want of a till.conf: make one with greentill till kit."
        ) from error
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    if "SERIAL" not in values:
        raise FleetError(f"{settings} names no SERIAL: make the kit again with greentill till kit.")
    return Kit(folder, values["SERIAL"].strip())


def upstreams(state: State) -> Upstreams:
    """Where the link forwards to."""
    gateway = urlsplit(state.cloud.endpoint).port
    if gateway is None:
        raise FleetError(
            f"The cloud's endpoint {state.cloud.endpoint} names no port: run greentill twin down."
        )
    return Upstreams(gateway=gateway, iot=state.cloud.iot_port, mqtt=state.cloud.mqtt_port)


def bring_up(
    state: State,
    kits: Sequence[Path],
    nucleus_dir: Path,
    report: Report,
    *,
    work_dir: Path | None = None,
    root_image: Path | None = None,
) -> State:
    """Provision a new machine from each kit, all at once, and return the state with them, saved.

    `nucleus_dir` is the nucleus flavour that the bootstrap is given. A till that was up under the same serial
    is replaced. Raises FleetError naming the first till that failed, when all have ended; those that came up
    are in the saved state.
    """
    directory = _directory(work_dir)
    image = root_image or ensure_root(lambda line: report("root", line))
    link = Link.start(directory, upstreams(state))
    installer = _Installer(nucleus_dir, link, image, directory, report)
    wanted = [read_kit(folder) for folder in kits]
    failures: list[BaseException] = []
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        begun = [pool.submit(installer.bring_up, kit) for kit in wanted]
        try:
            for kit, till in zip(wanted, begun, strict=True):
                failure = till.exception()
                if failure is None:
                    state = state.with_till(kit.serial, till.result())
                else:
                    failures.append(failure)
        except BaseException:  # Ctrl-C: a bootstrap under way would keep us for minutes
            installer.abandon(wanted)
            raise
    twin_state.save(state, directory)
    if failures:
        raise failures[0]
    return state


def machine(serial: str, *, work_dir: Path | None = None) -> Machine:
    """The machine of a till, to cut its power, boot it or look into it."""
    return Machine(serial, root_path(), _directory(work_dir))


def link(*, work_dir: Path | None = None) -> Link:
    """The link of the running twin, to cut and restore uplinks."""
    return Link(_directory(work_dir))


def health(pos_url: str, timeout: float = 2.0) -> dict[str, Any] | None:
    """What the till's `/v1/health` answers, or None while it doesn't answer 200 with JSON."""
    address = urlsplit(pos_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    try:
        connection.request("GET", "/v1/health")
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return document if answer.status == 200 and isinstance(document, dict) else None


def wait_until_healthy(
    state: State, serials: Iterable[str], timeout: float, report: Report | None = None
) -> dict[str, dict[str, Any]]:
    """Wait until each till's `/v1/health` answers, `timeout` seconds at most; the answers by serial."""
    waiting, answers = list(serials), dict[str, dict[str, Any]]()
    deadline = time.monotonic() + timeout
    while waiting:
        for serial in list(waiting):
            answer = health(state.tills[serial].pos_url)
            if answer is not None:
                answers[serial] = answer
                waiting.remove(serial)
                if report is not None:
                    report(serial, f"answers at {state.tills[serial].pos_url}")
        if waiting and time.monotonic() > deadline:
            raise FleetError(
                f"{', '.join(waiting)} did not answer within {timeout:.0f} s:"
                " look inside with greentill twin status, or at the till's journal."
            )
        time.sleep(0.25 if waiting else 0)
    return answers


@dataclass(frozen=True)
class _Installer:
    nucleus_dir: Path
    link: Link
    root_image: Path
    work_dir: Path
    report: Report
    abandoned: threading.Event = field(default_factory=threading.Event)

    def bring_up(self, kit: Kit) -> TillState:
        """A new machine, provisioned from the kit."""
        machine = Machine(kit.serial, self.root_image, self.work_dir)
        try:
            if machine.names.directory.exists():
                self.report(kit.serial, "replacing the machine of an earlier run")
                machine.power_cut()
                machine.disk.erase()
            forwarded = self.link.add(kit.serial)
            machine.boot()
            self.report(kit.serial, "booted")
            if self.abandoned.is_set():
                machine.power_cut()
            self._bootstrap(machine, kit)
            return till_state(machine, forwarded, self.link)
        except (MachineError, LinkError, OSError) as error:
            raise FleetError(f"{kit.serial} did not come up: {error}") from error

    def abandon(self, kits: Sequence[Kit]) -> None:
        """Cut the power of every machine, so that what goes on in them ends at once."""
        self.abandoned.set()
        for kit in kits:
            Machine(kit.serial, self.root_image, self.work_dir).power_cut()

    def _bootstrap(self, machine: Machine, kit: Kit) -> None:
        """As a technician would: log in as the first user, and run the script with sudo."""
        machine.copy_in(kit.folder, KIT_INSIDE)
        machine.copy_in(self.nucleus_dir, NUCLEUS_INSIDE)
        machine.run(["chown", "--recursive", f"{OPERATOR}:{OPERATOR}", KIT_INSIDE, NUCLEUS_INSIDE])
        script = f"{KIT_INSIDE}/pi_bootstrap.sh"
        asked = ["sudo", script, "--kit", KIT_INSIDE, "--nucleus-dir", NUCLEUS_INSIDE]
        last = ""

        def heard(line: str) -> None:
            nonlocal last
            last = line.strip() or last
            self.report(kit.serial, line)

        status = machine.stream(asked, heard, user=OPERATOR, timeout=BOOTSTRAP_SECONDS)
        if status != 0:
            log = machine.path("/var/log/greentill/bootstrap.log")
            raise FleetError(f"{kit.serial}: the bootstrap ended with status {status} (“{last}”): see {log}.")


def till_state(machine: Machine, forwarded: TillLink, link: Link) -> TillState:
    """What state.json says of a till that is up."""
    return TillState(
        machine_pid=machine.pid,
        root=str(machine.disk.mount_point),
        pos_url=forwarded.pos_url,
        link_control=str(link.control),
    )


def _directory(work_dir: Path | None) -> Path:
    return (work_dir or twin_state.DEFAULT_DIRECTORY).resolve()
