"""A till from claim to credentials, with the real AWS IoT device SDK and boto3 against the twin's cloud."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from infra.identity.provisioning import connected
from infra.names import Names
from tests.cloud import fleet as fleets
from tests.cloud.devices import Device, https

pytestmark = pytest.mark.twin
NAMESPACE = "namespace-aws-gg-deployment"


@pytest.fixture(scope="module")
def fleet(cloud):
    return fleets.make(cloud)


@pytest.fixture(scope="module")
def till(fleet):
    topic, answer, identity = fleet.provision("OK0001")
    assert topic.endswith("/accepted"), answer
    return fleet.thing("OK0001"), identity


@pytest.fixture(scope="module")
def session(cloud, fleet, till, tmp_path_factory):
    thing, identity = till
    path = f"/role-aliases/{fleet.alias}/credentials"
    directory = tmp_path_factory.mktemp("till")
    status, answer = https(cloud, identity, directory, path, headers={"x-amzn-iot-thingname": thing})
    assert status == 200, answer
    found = answer["credentials"]
    return {
        "aws_access_key_id": found["accessKeyId"],
        "aws_secret_access_key": found["secretAccessKey"],
        "aws_session_token": found["sessionToken"],
    }


def test_provisioning_answers_a_client_that_did_not_subscribe(cloud, fleet, till):
    thing, _identity = till
    iot = cloud.client("iot")
    assert iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"][0]["groupName"] == fleet.group
    assert len(iot.list_thing_principals(thingName=thing)["principals"]) == 1


def test_provisioning_answers_a_client_that_subscribed_too(fleet):
    topic, answer, _identity = fleet.provision("OK0002", subscribe=True)
    assert topic.endswith("/accepted")
    assert answer == {"deviceConfiguration": {"fleet": fleet.name}, "thingName": fleet.thing("OK0002")}


def test_the_hook_refuses_a_serial_that_it_does_not_know(cloud, fleet):
    topic, answer, _identity = fleet.provision("BAD001")
    assert topic.endswith("/rejected")
    assert answer["errorCode"] == "AccessDenied"
    with pytest.raises(ClientError):
        cloud.client("iot").describe_thing(thingName=fleet.thing("BAD001"))


def test_a_certificate_is_exclusively_its_tills(cloud, fleet, till):
    iot = cloud.client("iot")
    principal = iot.list_thing_principals(thingName=till[0])["principals"][0]
    iot.create_thing(thingName=f"{fleet.name}-other")
    with pytest.raises(ClientError) as refused:
        iot.attach_thing_principal(thingName=f"{fleet.name}-other", principal=principal)
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_till_cannot_connect_as_another(cloud, fleet, till):
    with pytest.raises(Exception, match="AWS_ERROR_MQTT"), Device(cloud, till[1], fleet.thing("OK0002")):
        pass


def test_a_rule_hears_a_till_connect_and_not_its_claim(cloud, fleet, till):
    sqs, iot = cloud.client("sqs"), cloud.client("iot")
    queue = sqs.create_queue(QueueName=f"{fleet.name}-contact")["QueueUrl"]
    role = f"arn:aws:iam::{cloud.state.cloud.account}:role/{fleet.name}-provisioning"
    names = Names(fleet.name, cloud.state.cloud.account, cloud.state.cloud.region)
    iot.create_topic_rule(
        ruleName=f"{fleet.name}_contact",
        topicRulePayload={
            "sql": connected(names),
            "actions": [{"sqs": {"roleArn": role, "queueUrl": queue, "useBase64": False}}],
        },
    )
    thing, identity = till
    with Device(cloud, fleet.claim, "claim-of-nobody"), Device(cloud, identity, thing):
        heard = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10, MaxNumberOfMessages=10)["Messages"]
    principal = iot.list_thing_principals(thingName=thing)["principals"][0]
    assert [json.loads(each["Body"]) for each in heard] == [
        {"clientId": thing, "principalIdentifier": principal.rpartition("/")[2]}
    ]


def test_a_deployment_reaches_a_till_that_joined_its_group_later(cloud, fleet):
    greengrass = cloud.client("greengrassv2")
    made = greengrass.create_deployment(
        targetArn=fleet.group_arn,
        components={
            "aws.greengrass.Cli": {
                "componentVersion": "2.18.2",
                "configurationUpdate": {"merge": '{"a": {"b": "c"}}', "reset": ["/x"]},
            }
        },
    )
    _topic, _answer, identity = fleet.provision("OK0003")
    thing = fleet.thing("OK0003")
    base = f"$aws/things/{thing}/jobs"
    with Device(cloud, identity, thing) as core:
        for topic in (
            f"{base}/$next/{NAMESPACE}/get/accepted",
            f"{base}/notify-next-{NAMESPACE}",
            f"{base}/+/{NAMESPACE}/update/accepted",
        ):
            core.subscribe(topic)
        _topic, answer = core.ask(f"{base}/$next/{NAMESPACE}/get", {})
        execution = answer["execution"]
        document = execution["jobDocument"]
        assert (execution["jobId"], document["deploymentId"]) == (made["iotJobId"], made["deploymentId"])
        assert document["configurationArn"].endswith(f":configuration:thinggroup/{fleet.group}:1")
        assert document["components"]["aws.greengrass.Cli"] == {
            "version": "2.18.2",
            "configurationUpdate": {"merge": {"a": {"b": "c"}}, "reset": ["/x"]},
        }
        update = f"{base}/{execution['jobId']}/{NAMESPACE}/update"
        core.ask(update, {"status": "IN_PROGRESS"})
        core.ask(
            update, {"status": "SUCCEEDED", "statusDetails": {"detailed-deployment-status": "SUCCESSFUL"}}
        )
        _topic, told = core.wait_for(lambda topic: "notify-next" in topic)
        assert "execution" not in told
        second = greengrass.create_deployment(targetArn=fleet.group_arn, components={})
        _topic, told = core.wait_for(lambda topic: "notify-next" in topic)
        assert told["execution"]["jobId"] == second["iotJobId"]
        core.publish(
            f"$aws/things/{thing}/greengrassv2/health/json",
            {
                "ggcVersion": "2.18.2",
                "platform": "linux",
                "architecture": "aarch64",
                "overallDeviceStatus": "HEALTHY",
                "messageType": "COMPLETE",
                "components": [
                    {"componentName": "com.x", "version": "1.0.0", "status": "RUNNING", "isRoot": True}
                ],
            },
        )
    device = greengrass.get_core_device(coreDeviceThingName=thing)
    assert (device["status"], device["coreVersion"]) == ("HEALTHY", "2.18.2")
    installed = greengrass.list_installed_components(coreDeviceThingName=thing)["installedComponents"]
    assert [(each["componentName"], each["lifecycleState"]) for each in installed] == [("com.x", "RUNNING")]
    effective = greengrass.list_effective_deployments(coreDeviceThingName=thing)["effectiveDeployments"]
    status = {each["deploymentId"]: each["coreDeviceExecutionStatus"] for each in effective}
    assert status == {made["deploymentId"]: "SUCCEEDED", second["deploymentId"]: "QUEUED"}


def test_the_data_plane_tells_groups_and_resolves_versions(cloud, fleet, till, tmp_path):
    thing, identity = till
    path = "/greengrass/v2/coreDevices/{}/thingGroups"
    status, answer = https(cloud, identity, tmp_path, path.format(thing))
    assert (status, [each["thingGroupName"] for each in answer["thingGroups"]]) == (200, [fleet.group])
    status, _answer = https(cloud, identity, tmp_path, path.format(fleet.thing("OK0002")))
    assert status == 403
    wanted = {
        "componentCandidates": [
            {"componentName": "aws.greengrass.Nucleus", "versionRequirements": {"a": ">=2.13.0 <2.17.0"}}
        ],
        "platform": {"name": "linux", "attributes": {}},
    }
    status, answer = https(
        cloud, identity, tmp_path, "/greengrass/v2/resolveComponentCandidates", body=wanted
    )
    assert [each["componentVersion"] for each in answer["resolvedComponentVersions"]] == ["2.16.1"]
    artifact = "/greengrass/v2/components/arn:aws:greengrass:eu-west-1:0:components:x:versions:1/artifacts/a"
    assert https(cloud, identity, tmp_path, artifact)[0] == 403


def test_credentials_are_refused_for_another_thing(cloud, fleet, till, tmp_path):
    path = f"/role-aliases/{fleet.alias}/credentials"
    other = {"x-amzn-iot-thingname": fleet.thing("OK0002")}
    assert https(cloud, till[1], tmp_path, path, headers=other)[0] == 403


def test_credentials_are_refused_once_the_certificate_is_inactive(cloud, fleet, tmp_path):
    _topic, _answer, identity = fleet.provision("OK0004")
    thing, iot = fleet.thing("OK0004"), cloud.client("iot")
    principal = iot.list_thing_principals(thingName=thing)["principals"][0]
    iot.update_certificate(certificateId=principal.rpartition("/")[2], newStatus="INACTIVE")
    path = f"/role-aliases/{fleet.alias}/credentials"
    assert https(cloud, identity, tmp_path, path, headers={"x-amzn-iot-thingname": thing})[0] == 403


def test_a_till_writes_only_under_its_own_key(cloud, fleet, till, session):
    table = cloud.client("dynamodb", **session)
    thing, other = till[0], fleet.thing("OK0002")
    table.put_item(TableName=fleet.table, Item={"pk": {"S": thing}, "sk": {"S": "1"}})
    own = {"PutRequest": {"Item": {"pk": {"S": thing}, "sk": {"S": "2"}}}}
    foreign = {"PutRequest": {"Item": {"pk": {"S": other}, "sk": {"S": "2"}}}}
    table.batch_write_item(RequestItems={fleet.table: [own]})
    for call, arguments in (
        (table.put_item, {"TableName": fleet.table, "Item": {"pk": {"S": other}, "sk": {"S": "1"}}}),
        (table.batch_write_item, {"RequestItems": {fleet.table: [own, foreign]}}),
        (table.get_item, {"TableName": fleet.table, "Key": {"pk": {"S": other}, "sk": {"S": "1"}}}),
        (table.scan, {"TableName": fleet.table}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    query = {
        "TableName": fleet.table,
        "KeyConditionExpression": "#p = :p",
        "ExpressionAttributeNames": {"#p": "pk"},
    }
    found = table.query(**query, ExpressionAttributeValues={":p": {"S": thing}})["Items"]
    assert [item["sk"]["S"] for item in found] == ["1", "2"]
    with pytest.raises(ClientError):
        table.query(**query, ExpressionAttributeValues={":p": {"S": other}})


def test_a_till_puts_only_its_own_segments(cloud, fleet, till, session):
    s3 = cloud.client("s3", **session)
    s3.put_object(Bucket=fleet.bucket, Key=f"sales/date=2026-01-01/till={till[0]}/a", Body=b"x")
    with pytest.raises(ClientError) as refused:
        s3.put_object(
            Bucket=fleet.bucket, Key=f"sales/date=2026-01-01/till={fleet.thing('OK0002')}/a", Body=b"x"
        )
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_the_endpoints_are_the_names_that_machines_know(cloud):
    iot = cloud.client("iot")
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == "data.iot.twin.internal"
    credentials = iot.describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
    assert credentials == "credentials.iot.twin.internal"
