"""Who is admitted: the deployed template, hook and functions against tills that ask over MQTT with TLS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from awscrt.exceptions import AwsCrtError

from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.order import Order
from fleet_provisioning.orders import order
from tests.cloud.devices import Device, Identity, https
from tests.infra.deployed_fleet import LISTED, DeployedFleet, Kit, deploy
from tests.waiting import wait_for

pytestmark = pytest.mark.twin
REFUSED = (AwsCrtError, TimeoutError)  # the broker closes, or doesn't answer


@pytest.fixture(scope="module")
def fleet(cloud: Any) -> DeployedFleet:
    return deploy(cloud)


def kit(fleet: DeployedFleet, tmp_path: Path, serial: str) -> Kit:
    folder = tmp_path / serial
    fleet.maker().make(Order(serial, "ST-367", "dev"), folder)
    return Kit(folder)


def refused(fleet: DeployedFleet, serial: str, claim: Identity) -> str:
    """The reason in the registry, after a request that was refused; the till itself hears none."""
    before = int(fleet.row(serial).get("refusals", 0))
    topic, answer, _ = fleet.ask(serial, claim)
    assert topic.endswith("/rejected")
    assert (answer["statusCode"], answer["errorCode"]) == (403, "AccessDenied")
    row = fleet.row(serial)
    assert int(row["refusals"]) > before
    assert row["last_refusal"]["claim_certificate_id"]
    return str(row["last_refusal"]["reason"])


def can_connect(fleet: DeployedFleet, identity: Identity, client: str) -> bool:
    try:
        with Device(fleet.cloud, identity, client):
            return True
    except REFUSED:
        return False


def test_a_till_becomes_what_the_registry_says_and_its_claim_ends(fleet: DeployedFleet, tmp_path: Path):
    made = kit(fleet, tmp_path, "ADMIT0001")
    identity = fleet.provision("ADMIT0001", made.claim)
    fleet.first_contact("ADMIT0001", identity)
    iot, thing = fleet.session.client("iot"), fleet.names.thing("ADMIT0001")
    described = iot.describe_thing(thingName=thing)
    assert described["attributes"] == {"serial": "ADMIT0001", "store": "ST-367"}
    assert described["thingTypeName"] == fleet.names.thing_type
    groups = [one["groupName"] for one in iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"]]
    assert groups == [fleet.names.stage_group("dev")]
    row = fleet.row("ADMIT0001")
    assert row["claim_closed_because"] == "used"
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_certificate(certificateId=row["claim_certificate_id"])
    assert not can_connect(fleet, made.claim, "claim-ADMIT0001")
    assert can_connect(fleet, identity, thing)


def test_a_till_of_fleet_toml_is_a_thing_already_and_is_adopted(fleet: DeployedFleet, tmp_path: Path):
    iot, thing = fleet.session.client("iot"), fleet.names.thing(LISTED)
    stacks = fleet.session.client("cloudformation")
    made_by_stack = stacks.describe_stack_resources(StackName=fleet.names.stack("Identity"))
    assert thing in {one["PhysicalResourceId"] for one in made_by_stack["StackResources"]}
    with pytest.raises(ProvisioningError, match=r"fleet\.toml lists LISTED001 with store ST-367, stage dev"):
        fleet.maker().make(Order(LISTED, "ST-367", "prod"), tmp_path / "wrong")
    fleet.maker().make(order(LISTED, "", "", (), fleet.settings), tmp_path / LISTED)
    assert fleet.row(LISTED)["terminals"] == ["T1", "T2"]
    fleet.first_contact(LISTED, fleet.provision(LISTED, Kit(tmp_path / LISTED).claim))
    assert iot.describe_thing(thingName=thing)["thingTypeName"] == fleet.names.thing_type
    assert len(iot.list_thing_principals(thingName=thing)["principals"]) == 1


def test_power_may_fail_before_first_contact_and_the_lost_certificate_ends_then(
    fleet: DeployedFleet, tmp_path: Path
):
    made = kit(fleet, tmp_path, "POWER0001")
    lost = fleet.provision("POWER0001", made.claim)
    kept = fleet.provision("POWER0001", made.claim)
    fleet.first_contact("POWER0001", kept)
    thing = fleet.names.thing("POWER0001")
    assert can_connect(fleet, kept, thing)
    assert not can_connect(fleet, lost, thing)
    iot = fleet.session.client("iot")
    assert len(iot.list_thing_principals(thingName=thing)["principals"]) == 1


def test_a_claim_whose_till_has_come_is_refused_until_it_can_not_even_connect(
    fleet: DeployedFleet, tmp_path: Path
):
    made = kit(fleet, tmp_path, "CLOSED001")
    fleet.change("CLOSED001", state="provisioned")
    assert refused(fleet, "CLOSED001", made.claim) == "the till is provisioned, not pending"


def test_an_expired_claim_is_refused_and_the_schedule_takes_its_certificate(
    fleet: DeployedFleet, tmp_path: Path
):
    made = kit(fleet, tmp_path, "EXPIRED01")
    fleet.change("EXPIRED01", claim_expires_at=1)
    assert refused(fleet, "EXPIRED01", made.claim) == "the claim has expired"
    fleet.call("claims")
    row = fleet.row("EXPIRED01")
    assert (row["claim_closed_because"], row["state"]) == ("expired", "pending")
    assert not can_connect(fleet, made.claim, "claim-EXPIRED01")


def test_a_claim_made_for_another_serial_is_refused_and_leaves_that_one_alone(
    fleet: DeployedFleet, tmp_path: Path
):
    own, other = kit(fleet, tmp_path, "OWNKIT001"), kit(fleet, tmp_path, "OTHER0001")
    assert refused(fleet, "OTHER0001", own.claim) == "the claim belongs to another kit"
    assert fleet.row("OTHER0001")["state"] == "pending"
    fleet.provision("OTHER0001", other.claim)


@pytest.mark.parametrize("state", ["revoked", "decommissioned"])
def test_a_till_that_head_office_has_ended_is_refused(fleet: DeployedFleet, tmp_path: Path, state: str):
    serial = f"END{state.upper()}"
    made = kit(fleet, tmp_path, serial)
    fleet.change(serial, state=state)
    assert refused(fleet, serial, made.claim) == f"the till is {state}, not pending"


def test_a_serial_without_a_kit_is_refused_and_makes_no_row(fleet: DeployedFleet, tmp_path: Path):
    made = kit(fleet, tmp_path, "HASKIT001")
    topic, _, _ = fleet.ask("NOKIT0001", made.claim)
    assert topic.endswith("/rejected")
    key = {"thing": fleet.names.thing("NOKIT0001")}
    assert "Item" not in fleet.registry.get_item(Key=key, ConsistentRead=True)
    with pytest.raises(fleet.session.client("iot").exceptions.ResourceNotFoundException):
        fleet.session.client("iot").describe_thing(thingName=key["thing"])


def test_repeated_refusals_are_an_alarm(fleet: DeployedFleet, tmp_path: Path):
    made = kit(fleet, tmp_path, "ALARM0001")
    fleet.change("ALARM0001", state="revoked")
    for _ in range(3):
        refused(fleet, "ALARM0001", made.claim)
    cloudwatch, name = fleet.session.client("cloudwatch"), fleet.names.alarm("refused-provisioning")

    def state() -> bool:
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return bool(alarm["StateValue"] == "ALARM")

    wait_for(state, "the alarm")


def test_the_schedule_calls_the_function_and_may(fleet: DeployedFleet):
    events, name = fleet.session.client("events"), fleet.names.function("claims")
    assert events.describe_rule(Name=name)["ScheduleExpression"] == "rate(1 hour)"
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    assert target["Arn"].endswith(f":function:{name}")
    policy = json.loads(fleet.session.client("lambda").get_policy(FunctionName=name)["Policy"])
    assert any(one["Principal"] == {"Service": "events.amazonaws.com"} for one in policy["Statement"])


# What a till may do for real; tests/infra/test_till_rights.py evaluates the whole list on paper.


@pytest.fixture(scope="module")
def two(fleet: DeployedFleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, Identity]:
    """The identities of TILL1 and TILL10, either's name beginning like the other's."""
    folder = tmp_path_factory.mktemp("two")
    found = []
    for serial in ("TILL1", "TILL10"):
        identity = fleet.provision(serial, kit(fleet, folder, serial).claim)
        fleet.first_contact(serial, identity)
        found.append(identity)
    return found[0], found[1]


def test_neither_of_two_tills_connects_as_the_other(fleet: DeployedFleet, two: tuple[Identity, Identity]):
    one, ten = fleet.names.thing("TILL1"), fleet.names.thing("TILL10")
    assert can_connect(fleet, two[0], one)
    assert can_connect(fleet, two[0], f"{one}#2")
    assert not can_connect(fleet, two[0], ten)
    assert not can_connect(fleet, two[1], one)
    assert not can_connect(fleet, two[0], "anything")


def test_a_till_writes_its_own_topics_and_no_others(fleet: DeployedFleet, two: tuple[Identity, Identity]):
    one, ten = fleet.names.thing("TILL1"), fleet.names.thing("TILL10")
    wanted = {"state": {"reported": {"x": 1}}}
    with Device(fleet.cloud, two[0], one) as device:
        assert device.may_publish(f"$aws/things/{one}/shadow/name/certificate/update", wanted)
        assert not device.may_publish(f"$aws/things/{ten}/shadow/name/certificate/update", wanted)
    data = fleet.session.client("iot-data")
    assert data.get_thing_shadow(thingName=one, shadowName="certificate")
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_thing_shadow(thingName=ten, shadowName="certificate")


@pytest.mark.parametrize("topic", ["$aws/things/{ten}/shadow/#", "$aws/things/+/jobs/#", "#"])
def test_a_till_subscribes_to_no_topic_of_others(
    fleet: DeployedFleet, two: tuple[Identity, Identity], topic: str
):
    one, ten = fleet.names.thing("TILL1"), fleet.names.thing("TILL10")
    with Device(fleet.cloud, two[0], one) as device:
        assert device.may_subscribe(f"$aws/things/{one}/shadow/#")
        assert not device.may_subscribe(topic.format(ten=ten))


def test_a_claim_can_do_nothing_but_provision(
    fleet: DeployedFleet, tmp_path: Path, two: tuple[Identity, Identity]
):
    made = kit(fleet, tmp_path, "CLAIM0001")
    assert not can_connect(fleet, made.claim, fleet.names.thing("TILL1"))
    for topic in (
        "$aws/provisioning-templates/another/provision/json",
        f"$aws/things/{fleet.names.thing('TILL1')}/shadow/get",
    ):
        with Device(fleet.cloud, made.claim, "claim-CLAIM0001") as device:
            assert not device.may_publish(topic, {})
    path = f"/role-aliases/{fleet.names.role_alias}/credentials"
    for thing in (fleet.names.thing("TILL1"), fleet.names.thing("CLAIM0001")):
        status, _ = https(fleet.cloud, made.claim, tmp_path, path, headers={"x-amzn-iot-thingname": thing})
        assert status == 403


def session(fleet: DeployedFleet, folder: Path, serial: str, identity: Identity) -> dict[str, str]:
    path = f"/role-aliases/{fleet.names.role_alias}/credentials"
    headers = {"x-amzn-iot-thingname": fleet.names.thing(serial)}
    status, answer = https(fleet.cloud, identity, folder, path, headers=headers)
    assert status == 200, answer
    found = answer["credentials"]
    return {
        "aws_access_key_id": found["accessKeyId"],
        "aws_secret_access_key": found["secretAccessKey"],
        "aws_session_token": found["sessionToken"],
    }


def test_a_till_reaches_its_own_data_and_nothing_else(
    fleet: DeployedFleet, tmp_path: Path, two: tuple[Identity, Identity]
):
    credentials = session(fleet, tmp_path, "TILL1", two[0])
    one, ten = fleet.names.thing("TILL1"), fleet.names.thing("TILL10")
    dynamodb, s3 = (fleet.cloud.client(name, **credentials) for name in ("dynamodb", "s3"))
    names, day = fleet.names, "sales/date=2026-11-21"

    def put(table: str, thing: str) -> None:
        item = {"pk": {"S": thing}, "sk": {"S": "0"}, "version": {"N": "1"}}
        dynamodb.put_item(TableName=table, Item=item)

    put(names.sales_table, one)
    put(names.rollups_table, one)
    dynamodb.get_item(TableName=names.registry_table, Key={"thing": {"S": one}})
    s3.put_object(Bucket=names.sales_bucket, Key=f"{day}/till={one}/a", Body=b"x")
    s3.list_objects_v2(Bucket=names.sales_bucket, Prefix=f"{day}/till={one}/")
    for forbidden in (
        lambda: put(names.sales_table, ten),
        lambda: put(names.rollups_table, ten),
        lambda: dynamodb.scan(TableName=names.sales_table),
        lambda: dynamodb.get_item(TableName=names.registry_table, Key={"thing": {"S": ten}}),
        lambda: dynamodb.put_item(TableName=names.registry_table, Item={"thing": {"S": one}}),
        lambda: s3.put_object(Bucket=names.sales_bucket, Key=f"{day}/till={ten}/a", Body=b"x"),
        lambda: s3.put_object(Bucket=names.sales_bucket, Key=f"{day}/till={ten}/till={one}/a", Body=b"x"),
        lambda: s3.list_objects_v2(Bucket=names.sales_bucket, Prefix=f"{day}/till={ten}/"),
        lambda: s3.list_objects_v2(Bucket=names.sales_bucket),
        lambda: s3.delete_object(Bucket=names.sales_bucket, Key=f"{day}/till={one}/a"),
        lambda: s3.list_objects_v2(Bucket=names.artifact_bucket, Prefix="components/"),
        lambda: s3.put_object(Bucket=names.artifact_bucket, Key="components/Pos/ab/pos.zip", Body=b"x"),
    ):
        with pytest.raises(dynamodb.exceptions.ClientError) as answer:
            forbidden()
        assert answer.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
