"""What a rule of AWS IoT does with the function that it calls."""

from __future__ import annotations

import json
import time

import pytest

from tests.cloud import fleet as fleets

pytestmark = pytest.mark.twin
PATIENCE_SECONDS = 120
FAILS_ONCE = """
import boto3

def handler(event, context):
    row = boto3.resource("dynamodb").Table("%s").update_item(
        Key={"pk": event["asked"], "sk": "calls"},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    if row["calls"] == 1:
        raise RuntimeError("not the first time")
"""


@pytest.fixture(scope="module")
def fleet(cloud):
    return fleets.make(cloud)


def called_by_a_rule(cloud, fleet, topic, code):
    """A function with the right to write the fleet's table, called for each message on `topic`."""
    name = f"{fleet.name}-heard"
    iam, functions, iot = cloud.client("iam"), cloud.client("lambda"), cloud.client("iot")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=fleets.trust("lambda.amazonaws.com"))
    write = fleets.policy(("dynamodb:UpdateItem", f"arn:aws:dynamodb:*:*:table/{fleet.table}"))
    iam.put_role_policy(RoleName=name, PolicyName="write", PolicyDocument=write)
    function = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": fleets.zipped("index.py", code)},
    )["FunctionArn"]
    functions.add_permission(
        FunctionName=name,
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceAccount=cloud.state.cloud.account,
    )
    iot.create_topic_rule(
        ruleName=name.replace("-", "_"),
        topicRulePayload={
            "sql": f"SELECT * FROM '{topic}'",  # noqa: S608 - IoT SQL
            "actions": [{"lambda": {"functionArn": function}}],
        },
    )


def test_a_function_that_failed_is_called_again_with_the_same_event(cloud, fleet):
    topic = f"{fleet.name}/asked"
    called_by_a_rule(cloud, fleet, topic, FAILS_ONCE % fleet.table)
    cloud.client("iot-data").publish(topic=topic, qos=1, payload=json.dumps({"asked": "once"}))
    key = {"pk": {"S": "once"}, "sk": {"S": "calls"}}
    deadline = time.monotonic() + PATIENCE_SECONDS
    calls = 0
    while calls < 2:
        assert time.monotonic() < deadline, f"called {calls} times"
        time.sleep(0.2)
        row = cloud.client("dynamodb").get_item(TableName=fleet.table, Key=key, ConsistentRead=True)
        calls = int(row.get("Item", {}).get("calls", {"N": "0"})["N"])
