"""Makes kits: a row, a claim and a folder for each new till, all three or none."""

import getpass
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleet_provisioning import claims, kit_files
from fleet_provisioning.assignment import assignment
from fleet_provisioning.endpoints import Endpoints, endpoints
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.nucleus import VERSIONS
from fleet_provisioning.registry import Registry, Row
from infra.errors import near_miss
from infra.names import SERIAL, TERMINAL, Names
from infra.settings import Settings

EXPIRES_DAYS = 30
LONGEST_DAYS = 3650
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Order:
    """A kit that is wanted. Without `terminals` the till has one, T1."""

    serial: str
    store: str
    stage: str
    terminals: tuple[str, ...] = ("T1",)


@dataclass(frozen=True)
class Kit:
    """A kit that was made; `claim_expires_at` in epoch seconds."""

    thing: str
    serial: str
    folder: Path
    claim_certificate_id: str
    claim_expires_at: int


@dataclass(frozen=True)
class Common:
    """What the kits of one run share: PEM authorities, the unit's environment, the claim's life in days."""

    root_ca: str
    environment: Mapping[str, str] = field(default_factory=dict)
    expires_days: int = EXPIRES_DAYS

    def __post_init__(self) -> None:
        for key, value in self.environment.items():
            if not VARIABLE.fullmatch(key) or "\n" in value or "\r" in value:
                raise ProvisioningError(f"--environment {key}=...: give KEY=VALUE on one line")
        if not 1 <= self.expires_days <= LONGEST_DAYS:
            raise ProvisioningError(f"--expires-days {self.expires_days}: give 1 to {LONGEST_DAYS}")


class KitMaker:
    """Makes kits in one account and Region; asks for the account's endpoints once."""

    def __init__(self, session: Any, names: Names, settings: Settings, common: Common) -> None:
        self._names = names
        self._settings = settings
        self._common = common
        self._iot = session.client("iot")
        self._registry = Registry(session, names)
        self._endpoints: Endpoints | None = None

    def make(self, order: Order, folder: Path, *, now: datetime | None = None) -> Kit:
        """Register the till and write its kit into `folder`; when anything fails, nothing of it stays.

        Raises ProvisioningError with what is wrong in the order, SerialTakenError, or NotDeployedError.
        """
        self.check(order)
        now = now or datetime.now(UTC)
        row = self._row(order, now)
        expires_at = int((now + timedelta(days=self._common.expires_days)).timestamp())
        kit_files.prepare(folder)
        with ExitStack() as undo:
            undo.callback(_remove, folder)
            self._registry.register(row)
            undo.callback(self._registry.withdraw, row)
            claim = claims.make_claim(self._iot, row.thing)
            undo.callback(claims.destroy, self._iot, claim)
            claims.permit(self._iot, claim, self._names)
            undo.callback(claims.forbid, self._iot, claim, self._names)
            self._registry.record_claim(row.thing, claim.certificate_id, expires_at)
            self.write(order, row.thing, claim, folder)
            undo.pop_all()
        return Kit(row.thing, order.serial, folder, claim.certificate_id, expires_at)

    def check(self, order: Order) -> None:
        """Raise ProvisioningError for an order that fleet.toml doesn't allow."""
        if not SERIAL.fullmatch(order.serial):
            raise ProvisioningError(f"serial {order.serial!r}: give 4 to 32 letters and digits")
        _known("store", order.store, self._settings.stores)
        _known("stage", order.stage, self._settings.stages)
        wrong = [terminal for terminal in order.terminals if not TERMINAL.fullmatch(terminal)]
        if wrong or not order.terminals or len(set(order.terminals)) < len(order.terminals):
            raise ProvisioningError(f"terminals {','.join(order.terminals)!r}: give each once, such as T1,T2")

    def _row(self, order: Order, now: datetime) -> Row:
        thing = self._names.thing(order.serial)
        return Row(
            thing=thing,
            serial=order.serial,
            store=order.store,
            stage=order.stage,
            terminals=order.terminals,
            state="pending",
            assignment=assignment(thing, self._settings.stores[order.store], order.terminals),
            created_at=now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            created_by=getpass.getuser(),
        )

    def write(self, order: Order, thing: str, claim: claims.Claim, folder: Path) -> None:
        """The kit's files into a prepared folder."""
        nucleus = self._settings.stages[order.stage].nucleus
        if self._endpoints is None:
            self._endpoints = endpoints(self._iot)
        till = {
            "FLEET": self._names.fleet,
            "SERIAL": order.serial,
            "THING": thing,
            "STAGE": order.stage,
            "REGION": self._names.region,
            "IOT_DATA_ENDPOINT": self._endpoints.data,
            "IOT_CREDENTIALS_ENDPOINT": self._endpoints.credentials,
            "PROVISIONING_TEMPLATE": self._names.provisioning_template,
            "ROLE_ALIAS": self._names.role_alias,
            "NUCLEUS": nucleus,
            "NUCLEUS_VERSION": VERSIONS[nucleus],
        }
        texts = {
            "till.conf": kit_files.key_values(till),
            "environment": kit_files.key_values(self._common.environment),
            "claim.pem.crt": claim.certificate_pem,
            "root-ca.pem": self._common.root_ca,
        }
        kit_files.write(folder, texts, secrets={"claim.private.key": claim.private_key_pem})


def make_all(
    maker: KitMaker,
    orders: Sequence[Order],
    out: Path,
    made: Callable[[Order, Kit | ProvisioningError], None],
) -> None:
    """A kit per order, each in `out`/<serial>; `made` hears of each. One that fails doesn't stop the others.

    All orders are checked first, so a mistake in the list costs nothing.
    """
    for order in orders:
        maker.check(order)
    for order in orders:
        try:
            made(order, maker.make(order, out / order.serial))
        except ProvisioningError as error:
            made(order, error)


def _known(what: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        there = ", ".join(sorted(known))
        raise ProvisioningError(
            f"{what} {value!r} isn't in fleet.toml{near_miss(value, known)}; there is: {there}"
        )


def _remove(folder: Path) -> None:
    """What was written, key included; the folder itself was empty or new, so nothing else goes."""
    shutil.rmtree(folder)
