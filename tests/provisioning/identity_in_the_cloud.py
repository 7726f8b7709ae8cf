"""The Identity stack of a fleet of its own, deployed into the twin's cloud, and devices in front of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from fleet_provisioning.assignment import assignment
from fleet_provisioning.fleet import Fleet
from infra.names import Names
from infra.settings import Settings, load
from tests.cloud.cdk import REPOSITORY, bootstrap, cdk
from tests.cloud.devices import Device, Identity, signing_request
from tests.conftest import Cloud
from tests.provisioning.rows import provisioned_row
from tests.provisioning.whole_fleet import FLEET_TOML
from tests.waiting import wait_for


class Session:
    """What fleet_provisioning asks of a boto3 session, against the twin's cloud."""

    def __init__(self, cloud: Cloud) -> None:
        told = cloud.environment
        self._session = boto3.Session(
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
            region_name=told["AWS_REGION"],
        )
        self._where: dict[str, Any] = {
            "endpoint_url": cloud.state.cloud.endpoint,
            "verify": cloud.state.cloud.ca,
        }

    def client(self, service: str) -> Any:
        return self._session.client(service, **self._where)

    def resource(self, service: str) -> Any:
        return self._session.resource(service, **self._where)


@dataclass(frozen=True)
class Deployed:
    cloud: Cloud
    names: Names
    settings: Settings

    @property
    def fleet(self) -> Fleet:
        return Fleet(Session(self.cloud), self.names, self.settings, by="tester")

    @property
    def iot(self) -> Any:
        return self.cloud.client("iot")

    def row(self, thing: str) -> dict[str, Any]:
        table = Session(self.cloud).resource("dynamodb").Table(self.names.registry_table)
        return dict(table.get_item(Key={"thing": thing}, ConsistentRead=True).get("Item", {}))

    def put(self, row: dict[str, Any]) -> None:
        Session(self.cloud).resource("dynamodb").Table(self.names.registry_table).put_item(Item=row)

    def till(self, serial: str, **more: Any) -> tuple[str, Identity]:
        """A provisioned till, as provisioning leaves it: its thing and its certificate."""
        thing = self.names.thing(serial)
        key, request = signing_request(thing)
        made = self.iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
        arn = made["certificateArn"]
        self.iot.create_thing(
            thingName=thing,
            thingTypeName=self.names.thing_type,
            attributePayload={"attributes": {"serial": serial, "store": "ST-367"}},
        )
        self.iot.add_thing_to_thing_group(thingName=thing, thingGroupName=self.names.stage_group("dev"))
        self.iot.attach_policy(policyName=self.names.core_policy, target=arn)
        self.iot.attach_thing_principal(thingName=thing, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
        given = assignment(thing, self.settings.stores["ST-367"], ["T1"])
        self.put(
            provisioned_row(
                thing, serial, str(made["certificateId"]), **{"assignment": given, "refusals": 0, **more}
            )
        )
        return thing, Identity(made["certificatePem"], key)

    def device(self, identity: Identity, client_id: str) -> Device:
        return Device(self.cloud, identity, client_id)

    def certificates(self, thing: str) -> dict[str, str]:
        """Status of each certificate that the thing has."""
        principals = self.iot.list_thing_principals(thingName=thing)["principals"]
        ids = [principal.rpartition("/")[2] for principal in principals]
        return {
            one: self.iot.describe_certificate(certificateId=one)["certificateDescription"]["status"]
            for one in ids
        }

    def shadow(self, thing: str) -> dict[str, Any]:
        answer = self.cloud.client("iot-data").get_thing_shadow(thingName=thing, shadowName="certificate")
        return dict(json.loads(answer["payload"].read())["state"])

    def until(self, thing: str, condition: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """The till's row once `condition` holds of it."""
        return dict(wait_for(lambda: (row := self.row(thing)) and condition(row) and row, what))


def deploy(cloud: Cloud, folder: Path, name: str, stacks: Sequence[str] = ("Identity",)) -> Deployed:
    """Deploy; what it makes goes with the cloud when the run ends."""
    root = folder / "clone"
    (root / "releases").mkdir(parents=True)
    shutil.copy(REPOSITORY / "app.py", root / "app.py")
    (root / "fleet.toml").write_text(FLEET_TOML.replace('name = "greentill"', f'name = "{name}"'))
    for stage in ("dev", "staging", "prod"):
        (root / "releases" / f"{stage}.json").write_text('{"components": {}}')
    names = Names(name, cloud.state.cloud.account, cloud.state.cloud.region)
    bootstrap(root, cloud)
    wanted = [names.stack(stack) for stack in stacks]
    cdk(root, cloud, "deploy", "--exclusively", *wanted, "--require-approval", "never")
    return Deployed(cloud, names, load(root))
