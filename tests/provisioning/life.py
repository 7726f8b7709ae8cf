"""A provisioned till in moto's account, and sessions that are cut off after so many calls."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from fleet_provisioning.fleet import Fleet
from tests.provisioning.rows import provisioned_row

SERIAL, THING = "PI0001", "greentill-PI0001"


class KilledError(BaseException):
    """The power went, or somebody pressed Ctrl-C twice."""


class Greengrass:
    """What moto doesn't have: core devices that can be deleted once."""

    def __init__(self) -> None:
        self.devices = {THING}

    def delete_core_device(self, coreDeviceThingName: str) -> None:  # noqa: N803 - boto3's
        if coreDeviceThingName not in self.devices:
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no such core device"}}
            raise ClientError(error, "DeleteCoreDevice")
        self.devices.remove(coreDeviceThingName)


class Session:
    """moto's account, in which the call after `allowed` others is never made."""

    def __init__(self, session: Any, greengrass: Greengrass, allowed: int | None = None) -> None:
        self.session, self.greengrass, self.allowed = session, greengrass, allowed
        self.made = 0

    def client(self, service: str) -> Any:
        if service == "greengrassv2":
            return self.greengrass
        client = self.session.client(service)
        client.meta.events.register("before-call", self._count)
        return client

    def resource(self, service: str) -> Any:
        resource = self.session.resource(service)
        resource.meta.client.meta.events.register("before-call", self._count)
        return resource

    def _count(self, **_: Any) -> None:
        if self.allowed is not None and self.made >= self.allowed:
            raise KilledError
        self.made += 1


class Life:
    """A provisioned till in moto's account, and what is left of it."""

    def __init__(self, account: Any) -> None:
        self.account = account
        self.greengrass = Greengrass()
        names, iot = account.names, account.iot
        iot.create_policy(policyName=names.core_policy, policyDocument="{}")
        for stage in ("dev", "prod"):
            iot.create_thing_group(thingGroupName=names.stage_group(stage))
        iot.create_thing(
            thingName=THING, attributePayload={"attributes": {"serial": SERIAL, "store": "ST-367"}}
        )
        iot.add_thing_to_thing_group(thingName=THING, thingGroupName=names.stage_group("dev"))
        self.certificates = [self._certificate(names.core_policy, THING) for _ in range(2)]
        self.claim = self._certificate(names.claim_policy, None)
        known = self.certificates[0]  # of the other one the row has never heard
        account.table.put_item(Item=provisioned_row(THING, SERIAL, known, claim_certificate_id=self.claim))

    def _certificate(self, policy: str, thing: str | None) -> str:
        made = self.account.iot.create_keys_and_certificate(setAsActive=True)
        self.account.iot.attach_policy(policyName=policy, target=made["certificateArn"])
        if thing:
            self.account.iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
        return str(made["certificateId"])

    def fleet(self, allowed: int | None = None) -> Fleet:
        session = Session(self.account.session, self.greengrass, allowed)
        return Fleet(session, self.account.names, self.account.settings, by="tester")

    def row(self) -> dict[str, Any]:
        return dict(self.account.table.get_item(Key={"thing": THING})["Item"])

    def groups(self) -> list[str]:
        found = self.account.iot.list_thing_groups_for_thing(thingName=THING)["thingGroups"]
        return [group["groupName"] for group in found]

    def left_certificates(self) -> set[str]:
        return {one["certificateId"] for one in self.account.certificates()}
