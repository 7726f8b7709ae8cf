"""Steps 3 and 4: kits, machines, the bootstrap, and the deployment's way to each till."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError
from edge_components.edgekit.record import parse
from sales.copies import money
from twin import fleet
from twin.demo.cloud import Account, greentill
from twin.demo.processes import DemoError, Programs
from twin.demo.settings import STAGE, TERMINALS, Settings
from twin.demo.show import Say
from twin.machines import Machine
from twin.state import State

INSIDE_CA = "/etc/greentill/root-ca.pem"
GATEWAY = "https://10.77.0.1"  # the link's end of every till's cable (docs/interfaces.md)
KIT_SECONDS = 120.0
POLL_SECONDS = 0.5
LEDGER = "/var/lib/greentill/ledger.db"
TERMINAL_STATES = {"FAILED", "TIMED_OUT", "CANCELED", "REJECTED"}


def make_kits(account: Account, programs: Programs, settings: Settings, say: Say) -> list[Path]:
    """A kit per till, made as an engineer would make them."""
    orders = settings.out_dir / "tills.csv"
    with orders.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("serial", "store", "stage", "terminals"))
        rows.writerows((till.serial, till.store, STAGE, ",".join(TERMINALS)) for till in settings.tills)
    target = settings.out_dir / "kits"
    arguments = [
        *("till", "kit", "--csv", str(orders)),
        *("--out", str(target)),
        *("--root-ca", account.state.cloud.ca),
        *("--environment", f"AWS_ENDPOINT_URL={GATEWAY}"),
        *("--environment", f"AWS_CA_BUNDLE={INSIDE_CA}"),
    ]
    environment = account.environment()
    programs.run("kits", greentill(*arguments), environment=environment, say=say, timeout=KIT_SECONDS)
    return [target / till.serial for till in settings.tills]


def wait_for_deployment(account: Account, state: State, settings: Settings, say: Say) -> None:
    """Until the job has succeeded on each till and it sells. Raises DemoError, naming the till."""
    greengrass = account.session().client("greengrassv2")
    give_up = time.monotonic() + settings.deploy_within
    waiting = {till.serial: "no deployment yet" for till in settings.tills}
    while waiting:
        for serial in list(waiting):
            status, ready = _standing(greengrass, account, state, serial)
            if status != waiting[serial]:
                say(f"{serial}: {status}")
                waiting[serial] = status
            if ready:
                del waiting[serial]
        if waiting and time.monotonic() > give_up:
            standing = "; ".join(f"{serial}: {status}" for serial, status in waiting.items())
            raise DemoError(
                f"after {settings.deploy_within:.0f} s not every till sells ({standing}): look into its "
                f"machine's journal with: greentill twin status"
            )
        time.sleep(POLL_SECONDS)


def _standing(greengrass: Any, account: Account, state: State, serial: str) -> tuple[str, bool]:
    """How far a till is, in words, and whether it can sell."""
    thing = account.names.thing(serial)
    found = greengrass.list_effective_deployments(coreDeviceThingName=thing)["effectiveDeployments"]
    if not found:
        return "no deployment yet", False
    status = found[0]["coreDeviceExecutionStatus"]
    if status in TERMINAL_STATES:
        reason = found[0].get("reason", "no reason given")
        raise DemoError(f"the deployment to {serial} ended {status}: {reason}")
    if status != "SUCCEEDED" and status != "COMPLETED":  # noqa: PLR1714 the two words that services use for it
        return f"deployment {status}", False
    health = fleet.health(state.tills[serial].pos_url)
    if health is None:
        return "deployed; the till does not answer yet", False
    return f"sells ({health['status']})", bool(health.get("store"))


@dataclass(frozen=True)
class Ledger:
    """What a till's own ledger holds; money in cents."""

    records: int
    sales: int
    money: int
    heads: tuple[tuple[str, int, str], ...]

    @property
    def head(self) -> tuple[str, int, str] | None:
        return self.heads[-1] if self.heads else None


def ledger(machine: Machine) -> Ledger:
    """Read the ledger on the machine's disk. Raises DemoError when it can't be read."""
    records = sales = total = 0
    try:
        with LedgerReader(machine.path(LEDGER)) as reader:
            epoch, seq = "", 0
            while rows := reader.after(epoch, seq):
                for row in rows:
                    records += 1
                    sales += row.kind == "sale"
                    total += money(parse(row.record))
                epoch, seq = rows[-1].epoch, rows[-1].seq
            heads = tuple((head.epoch, head.seq, head.hash) for head in reader.heads())
    except LedgerUnavailableError as error:
        raise DemoError(f"the ledger of {machine.serial} can't be read: {error}") from error
    return Ledger(records, sales, total, heads)


class Wires:
    """Cables and plugs of the running twin."""

    def __init__(self, settings: Settings, machines: Callable[[str], Machine]) -> None:
        self._link = fleet.link(work_dir=settings.twin_dir)
        self._machines = machines

    def cut(self, serial: str) -> None:
        self._link.cut(serial)

    def restore(self, serial: str) -> None:
        self._link.restore(serial)

    def power_cut(self, serial: str) -> None:
        self._machines(serial).power_cut()

    def boot(self, serial: str) -> None:
        """Switch on again; the cable stays as it is."""
        if self._link.status()[serial].uplink:
            raise DemoError(f"{serial} was to boot without the network, but its cable is in")
        self._machines(serial).boot()
