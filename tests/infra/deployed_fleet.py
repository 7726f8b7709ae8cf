"""A fleet whose Storage and Identity are really deployed into the twin's cloud, and its light tills."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from fleet_provisioning.kits import Common, KitMaker
from infra.names import Names
from infra.settings import Settings, load
from tests.cloud.cdk import REPOSITORY, bootstrap, cdk, locked, shared
from tests.cloud.devices import Device, Identity, signing_request
from tests.infra.paper_fleet import FLEET_TOML, write_release
from tests.waiting import wait_for

FLEET = "admitted"  # of its own: other tests share this cloud
LISTED = "LISTED001"
TILLS = f"""
[tills.{LISTED}]
store = "ST-367"
stage = "dev"
terminals = ["T1", "T2"]
"""


@dataclass(frozen=True)
class Kit:
    """What a till reads of its kit's folder."""

    folder: Path

    @property
    def claim(self) -> Identity:
        return Identity(
            (self.folder / "claim.pem.crt").read_text(), (self.folder / "claim.private.key").read_text()
        )


@dataclass(frozen=True)
class DeployedFleet:
    """`clone` has the fleet.toml; `session` acts as the account's root."""

    cloud: Any
    clone: Path
    names: Names
    settings: Settings
    session: Any

    @property
    def registry(self) -> Any:
        return self.session.resource("dynamodb").Table(self.names.registry_table)

    def maker(self, **common: Any) -> KitMaker:
        ca = Path(self.cloud.state.cloud.ca).read_text()
        return KitMaker(self.session, self.names, self.settings, Common(ca, **common))

    def row(self, serial: str) -> dict[str, Any]:
        key = {"thing": self.names.thing(serial)}
        found: dict[str, Any] = self.registry.get_item(Key=key, ConsistentRead=True)["Item"]
        return found

    def change(self, serial: str, **values: Any) -> None:
        """Put `values` into a till's row, as a command of head office would."""
        self.registry.update_item(
            Key={"thing": self.names.thing(serial)},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    def ask(self, serial: str, claim: Identity) -> tuple[str, dict[str, Any], Identity]:
        """What AWS IoT answers a till that asks for its identity: topic, document, and that identity.

        Like a till it asks again when the hook took longer than AWS IoT waits, as on a busy machine.
        """
        return wait_for(lambda: self._asked(serial, claim), "the hook")

    def _asked(self, serial: str, claim: Identity) -> tuple[str, dict[str, Any], Identity] | None:
        key, request = signing_request(self.names.thing(serial))
        with Device(self.cloud, claim, f"claim-{serial}") as device:
            _, made = device.ask(
                "$aws/certificates/create-from-csr/json", {"certificateSigningRequest": request}
            )
            topic, answer = device.ask(
                f"$aws/provisioning-templates/{self.names.provisioning_template}/provision/json",
                {
                    "certificateOwnershipToken": made["certificateOwnershipToken"],
                    "parameters": {"SerialNumber": serial},
                },
            )
        if answer.get("errorCode") == "InvocationError":
            return None
        return topic, answer, Identity(made["certificatePem"], key)

    def provision(self, serial: str, claim: Identity) -> Identity:
        topic, answer, identity = self.ask(serial, claim)
        assert topic.endswith("/accepted"), answer
        return identity

    def first_contact(self, serial: str, identity: Identity) -> None:
        """Connect once, and wait until the cloud has drawn its conclusions."""
        with Device(self.cloud, identity, self.names.thing(serial)):
            wait_for(
                lambda: (row := self.row(serial))["state"] == "provisioned" and "claim_state" not in row,
                "the end of the claim",
            )

    def call(self, duty: str) -> None:
        """Call a function as its schedule does."""
        function = self.names.function(duty)
        answer = self.session.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()


def deploy(cloud: Any) -> DeployedFleet:
    """The run's one such fleet: the first who asks deploys it."""
    clone = shared(cloud) / FLEET
    with locked(shared(cloud) / f"{FLEET}.lock"):
        if not (clone / "deployed").exists():
            clone.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / "app.py", clone / "app.py")
            text = FLEET_TOML.replace('name = "greentill"', f'name = "{FLEET}"')
            (clone / "fleet.toml").write_text(text + TILLS)
            write_release(clone, "dev")
            write_release(clone, "prod")
            bootstrap(clone, cloud)
            stack = Names(FLEET, cloud.state.cloud.account, cloud.state.cloud.region).stack("Identity")
            cdk(clone, cloud, "deploy", stack, "--require-approval", "never")
            (clone / "deployed").touch()
    names = Names(FLEET, cloud.state.cloud.account, cloud.state.cloud.region)
    return DeployedFleet(cloud, clone, names, load(clone), RootSession(cloud))


class RootSession:
    """A boto3 session of the cloud's root, whatever the environment says."""

    def __init__(self, cloud: Any) -> None:
        environment = cloud.environment
        self._address = {
            "endpoint_url": cloud.state.cloud.endpoint,
            "verify": cloud.state.cloud.ca,
        }
        self._session = boto3.session.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=cloud.state.cloud.region,
        )

    def client(self, service: str) -> Any:
        return self._session.client(service, **self._address)

    def resource(self, service: str) -> Any:
        return self._session.resource(service, **self._address)
