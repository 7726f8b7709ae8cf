"""Makes kits: a row, a claim and a folder for each new till, all three or none."""

import getpass
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleet_provisioning import claims, kit_files
from fleet_provisioning.assignment import assignment
from fleet_provisioning.endpoints import Endpoints, endpoints
from fleet_provisioning.errors import NotDeployedError, ProvisioningError
from fleet_provisioning.nucleus import VERSIONS
from fleet_provisioning.order import Order, check_order
from fleet_provisioning.registry import Registry, Row
from infra.identity.certificates import Retirement
from infra.names import Names
from infra.settings import Settings

EXPIRES_DAYS = 30
CLAIM = "claim.pem.crt"
LONGEST_DAYS = 3650
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
        self._retirement = Retirement(self._iot, names)
        self._endpoints: Endpoints | None = None

    def make(self, order: Order, folder: Path, *, now: datetime | None = None) -> Kit:
        """Register the till and write its kit into `folder`; when anything fails, nothing of it stays.

        What a run that was cut off left in `folder`, and of it in the cloud, is replaced. Raises
        ProvisioningError with what is wrong in the order, SerialTakenError, or NotDeployedError.
        """
        check_order(order, self._settings)
        row = self._row(order, now or datetime.now(UTC))
        place = kit_files.Workplace(folder)
        try:
            if place.earlier:
                self._withdraw(row.thing, place.earlier)
            place.begin(row.created_at)
            kit = self._make(order, row, folder)
        except BaseException:
            # Should this fail as well, the folder stays, marked, and the next run withdraws the row.
            self._withdraw(row.thing, row.created_at)
            place.remove()
            raise
        place.finish()
        return kit

    def made_already(self, order: Order, folder: Path, *, now: datetime | None = None) -> Kit | None:
        """The kit that an earlier run made for this order in `folder`; None when there is none.

        ProvisioningError when there is one that can't be used, or belongs to something else.
        """
        if not kit_files.whole(folder):
            return None
        row = self._registry.get(self._names.thing(order.serial))
        claim = claims.certificate_id((folder / CLAIM).read_bytes())
        if row is None or row.claim_certificate_id != claim:
            raise ProvisioningError(f"{folder} holds a kit that the registry doesn't know: remove the folder")
        if (row.store, row.stage, row.terminals) != (order.store, order.stage, order.terminals):
            raise ProvisioningError(
                f"{order.serial} has a kit for store {row.store}, stage {row.stage}, terminals "
                f"{','.join(row.terminals)}: change the till with greentill till move, or the order"
            )
        expires_at = row.claim_expires_at or 0
        expired = expires_at <= (now or datetime.now(UTC)).timestamp()
        if row.state != "provisioned" and (row.state != "pending" or expired):
            why = "has expired" if row.state == "pending" else f"is of a till that is {row.state}"
            raise ProvisioningError(
                f"the kit of {order.serial} {why}: make another with greentill till replace"
            )
        return Kit(row.thing, order.serial, folder, claim, expires_at)

    def _make(self, order: Order, row: Row, folder: Path) -> Kit:
        """The claim is of no use to anyone until the kit is written."""
        expires_at = _expiry(row, self._common.expires_days)
        self._registry.register(row)
        claim = claims.make_claim(self._iot, row.thing)
        try:
            self._registry.record_claim(row.thing, claim.certificate_id, expires_at)
        except BaseException:
            self._retirement.claim(claim.certificate_id)
            raise
        claims.permit(self._iot, claim, self._names)
        self.write(order, row.thing, claim, folder)
        claims.activate(self._iot, claim)
        self._registry.open_claim(row.thing, claim.certificate_id)
        return Kit(row.thing, order.serial, folder, claim.certificate_id, expires_at)

    def _withdraw(self, thing: str, created_at: str) -> None:
        """Take back what a run registered at `created_at`, unless its kit has been used."""
        try:
            row = self._registry.get(thing)
        except NotDeployedError:
            return  # without a table there is no row
        if row is None or row.created_at != created_at or row.certificate_ids:
            return
        if row.claim_certificate_id:
            self._retirement.claim(row.claim_certificate_id)
        if row.state == "pending":  # or else somebody has revoked it, and said why
            self._registry.withdraw(row)

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
            CLAIM: claim.certificate_pem,
            "root-ca.pem": self._common.root_ca,
        }
        kit_files.write(folder, texts, secrets={"claim.private.key": claim.private_key_pem})


def _expiry(row: Row, days: int) -> int:
    """When a claim that is made with the row ends, in epoch seconds."""
    return int((datetime.fromisoformat(row.created_at) + timedelta(days=days)).timestamp())
