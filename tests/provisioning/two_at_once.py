"""A till in moto's account, and everything that people, functions and the till itself do to it at once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.iot.models import IoTBackend

from fleet_provisioning import rotate
from fleet_provisioning.decommission import decommission
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.kits import Common, KitMaker
from fleet_provisioning.move import Destination, move
from fleet_provisioning.replace import replace
from fleet_provisioning.revoke import revoke
from infra.identity.certificates import Retirement, keep_only
from infra.identity.claims import handler as claims
from infra.identity.contact import handler as contact
from infra.identity.groups import settle_by_row
from infra.identity.hook import handler as hook
from infra.identity.rotation.shadow import Shadow
from infra.identity.rotation.signing import Signing
from tests.cloud.devices import signing_request
from tests.provisioning.rows import provisioned_row

SERIAL, THING = "PI0001", "greentill-PI0001"
ROTATION = "r1"
LAMBDA_TRIES = 3
_, REQUEST = signing_request(THING)
ISSUER = ec.generate_private_key(ec.SECP256R1())

Act = Callable[["World", Any], None]


def certificate_for(backend: IoTBackend, csr: str, set_as_active: object) -> Any:
    """What AWS IoT makes of a request: a certificate for the key in it, which moto's is not.

    moto hands on the query's text "false", and takes it for true.
    """
    request = x509.load_pem_x509_csr(csr.encode())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(request.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=9_000))
        .sign(ISSUER, hashes.SHA256())
    )
    return backend.register_certificate(
        made.public_bytes(serialization.Encoding.PEM).decode(),
        ca_certificate_pem=None,
        set_as_active=str(set_as_active).lower() == "true",
        status="INACTIVE",
    )


class Greengrass:
    """What moto doesn't have."""

    def delete_core_device(self, coreDeviceThingName: str) -> None:  # noqa: N803 - boto3's
        """It is gone, or was."""


class Session:
    """boto3's, whose every call first lets `before` do what it likes, which hears the operation's name.

    One set of clients for all: making them takes the most time.
    """

    def __init__(self, session: Any, before: Callable[[str], None]) -> None:
        self.before = before
        self._clients = {service: session.client(service) for service in ("iot", "iot-data")}
        self._dynamodb = session.resource("dynamodb")
        for client in (*self._clients.values(), self._dynamodb.meta.client):
            client.meta.events.register("before-call", lambda model, **_: self.before(model.name))

    def client(self, service: str) -> Any:
        return Greengrass() if service == "greengrassv2" else self._clients[service]

    def resource(self, _service: str) -> Any:
        return self._dynamodb


def undisturbed(_operation: str) -> None:
    """Nobody comes in between."""


class FleetsAccount:
    """moto's account with what a deploy leaves, seen through a session of its own."""

    def __init__(self, account: Any) -> None:
        self.session = Session(account.session, undisturbed)
        self.names, self.settings = account.names, account.settings
        self.iot, self.data = self.session.client("iot"), self.session.client("iot-data")
        self.table = self.session.resource("dynamodb").Table(self.names.registry_table)
        self.iot.create_policy(policyName=self.names.core_policy, policyDocument="{}")
        for stage in ("dev", "staging", "prod"):
            self.iot.create_thing_group(thingGroupName=self.names.stage_group(stage))

    def certificates(self) -> list[dict[str, Any]]:
        return list(self.iot.list_certificates()["certificates"])


class World:
    """A till that has one certificate and is asked for another (`wanted`), has it already (`signed`), or has
    provisioned with a new card and not been heard from (`arrived`)."""

    def __init__(self, account: FleetsAccount, folder: Path, beginning: str) -> None:
        self.account, self.folder = account, folder
        self.kits: list[str] = []
        self.told: list[str] = []
        account.iot.create_thing(
            thingName=THING, attributePayload={"attributes": {"serial": SERIAL, "store": "ST-367"}}
        )
        account.iot.add_thing_to_thing_group(thingName=THING, thingGroupName="greentill-dev")
        self.old, self.new = self._certificate(), ""
        self.claim = self._certificate(policy="greentill-claim", thing=None)
        row = provisioned_row(
            THING,
            SERIAL,
            self.old,
            connected_certificate=self.old,
            rotation={"id": ROTATION, "state": "wanted"},
        )
        if beginning == "arrived":
            self.new = self._certificate()
            row |= {
                "state": "pending",
                "claim_certificate_id": self.claim,
                "claim_expires_at": 4_000_000_000,
                "claim_state": "open",
                "certificate_ids": [self.new],
                "earlier_certificate_ids": [self.old],
            }
            del row["rotation"]
        else:
            self._end(self.claim)
        account.table.put_item(Item=row)
        if beginning == "signed":
            assert self.signing(account.session).heard(THING, asks()) == "signed"
            self.new = str(self.row()["rotation"]["certificate_id"])
        Shadow(account.table, account.iot, account.data).settle(THING)

    def _certificate(self, policy: str = "greentill-core", thing: str | None = THING) -> str:
        _, request = signing_request(THING)
        made = self.account.iot.create_certificate_from_csr(
            certificateSigningRequest=request, setAsActive=True
        )
        self.account.iot.attach_policy(policyName=policy, target=made["certificateArn"])
        if thing:
            self.account.iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
        return str(made["certificateId"])

    def _end(self, claim: str) -> None:
        Retirement(self.account.iot, self.account.names).claim(claim)

    def fleet(self, session: Any) -> Fleet:
        return Fleet(session, self.account.names, self.account.settings, by="tester")

    def table(self, session: Any) -> Any:
        return session.resource("dynamodb").Table(self.account.names.registry_table)

    def signing(self, session: Any) -> Signing:
        iot, data = session.client("iot"), session.client("iot-data")
        return Signing(self.table(session), iot, data, self.account.names)

    def row(self) -> dict[str, Any]:
        return dict(self.account.table.get_item(Key={"thing": THING})["Item"])

    def clear(self) -> None:
        """Leave nothing to the next world in the same account."""
        iot = self.account.iot
        for one in self.account.certificates():
            arn = one["certificateArn"]
            for thing in iot.list_principal_things(principal=arn)["things"]:
                iot.detach_thing_principal(thingName=thing, principal=arn)
            for policy in iot.list_attached_policies(target=arn)["policies"]:
                iot.detach_policy(policyName=policy["policyName"], target=arn)
            iot.update_certificate(certificateId=one["certificateId"], newStatus="INACTIVE")
            iot.delete_certificate(certificateId=one["certificateId"])
        try:
            self.account.data.delete_thing_shadow(thingName=THING, shadowName="certificate")
            iot.delete_thing(thingName=THING)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
        self.account.table.delete_item(Key={"thing": THING})
        shutil.rmtree(self.folder, ignore_errors=True)


def asks() -> dict[str, Any]:
    return {"rotation": ROTATION, "state": "requested", "csr": REQUEST}


def by_hand(act: Callable[[World, Fleet], None]) -> Act:
    """A command: it may find that somebody else was faster, and says so."""

    def run(world: World, session: Any) -> None:
        try:
            act(world, world.fleet(session))
        except ProvisioningError as error:
            world.told.append(str(error))

    return run


def by_event(act: Act) -> Act:
    """A function: Lambda repeats what fails, twice."""

    def run(world: World, session: Any) -> None:
        for tries_left in reversed(range(LAMBDA_TRIES)):
            try:
                return act(world, session)
            except ClientError:
                if not tries_left:
                    raise
        return None

    return run


def _replaces(world: World, fleet: Fleet) -> None:
    maker = KitMaker(fleet.session, fleet.names, fleet.settings, Common(root_ca="PEM\n"))
    folder = world.folder / uuid.uuid4().hex
    world.kits.append(replace(fleet, maker, fleet.till(SERIAL), folder, "new").claim_certificate_id)


def _decommissions(_world: World, fleet: Fleet) -> None:
    decommission(fleet, fleet.till(SERIAL), "closed", lost=None, force=True)


def _moves(to: str) -> Act:
    return by_hand(lambda _world, fleet: _discard(move(fleet, fleet.till(SERIAL), Destination(stage=to))))


def _hears(told: Callable[[World], dict[str, Any]]) -> Act:
    return by_event(lambda world, session: _discard(world.signing(session).heard(THING, told(world))))


def _connects(world: World, session: Any) -> None:
    """What contact.handler.handle does with its own clients."""
    table, iot, names = world.table(session), session.client("iot"), world.account.names
    row = contact.close_claim(table, THING, world.new, datetime.now(UTC))
    if row:
        settle_by_row(iot, names, table, THING)
        keep_only(table, Retirement(iot, names), row, world.new)


def _provisions_again(world: World, session: Any) -> None:
    """The hook, and what AWS IoT does when it allows it."""
    certificate = world.account.iot.create_certificate_from_csr(
        certificateSigningRequest=signing_request(THING)[1], setAsActive=False
    )
    event = {
        "claimCertificateId": world.claim,
        "certificateId": certificate["certificateId"],
        "parameters": {"SerialNumber": SERIAL},
    }
    arn, iot = certificate["certificateArn"], session.client("iot")
    try:
        row = hook.admitted_row(world.table(session), THING, event, now=1)
        iot.attach_policy(policyName="greentill-core", target=arn)
        iot.attach_thing_principal(thingName=THING, principal=arn)
        iot.add_thing_to_thing_group(thingName=THING, thingGroupName=f"greentill-{row['stage']}")
        iot.update_certificate(certificateId=certificate["certificateId"], newStatus="ACTIVE")
    except hook.RefusedError:
        world.account.iot.delete_certificate(certificateId=certificate["certificateId"])  # as AWS IoT does
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _ends_claims(world: World, session: Any) -> None:
    """What claims.handler.handle does with its own clients."""
    table, iot, names = world.table(session), session.client("iot"), world.account.names
    for claim in claims.overdue(table, 1):
        settle_by_row(iot, names, table, claim["thing"])
        claims._finish(table, Retirement(iot, names), claim)


def _discard(_result: object) -> None:
    """What a command returns is told elsewhere."""


COMMANDS: dict[str, Act] = {
    "revoke": by_hand(lambda _world, fleet: _discard(revoke(fleet, fleet.till(SERIAL), "stolen"))),
    "decommission": by_hand(_decommissions),
    "replace": by_hand(_replaces),
    "move": _moves("prod"),
    "move elsewhere": _moves("staging"),
    "rotate": by_hand(lambda _world, fleet: _discard(rotate.start(fleet, fleet.till(SERIAL)))),
}
REPORTS: dict[str, Act] = {
    "requested": _hears(lambda _world: asks()),
    "swapped": _hears(lambda world: {"rotation": ROTATION, "state": "swapped", "certificate_id": world.new}),
    "failed": _hears(lambda _world: {"rotation": ROTATION, "state": "failed", "reason": "no"}),
}
EVENTS: dict[str, Act] = {
    "first contact": by_event(_connects),
    "provision again": by_event(_provisions_again),
    "claims": by_event(_ends_claims),
}
ACTS = {**COMMANDS, **REPORTS, **EVENTS}
