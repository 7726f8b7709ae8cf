"""A small fleet in the twin's cloud: groups, policies, template, role alias, table and bucket."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from dataclasses import dataclass

from tests.cloud.devices import Device, Identity, signing_request

HOOK = """
def handler(event, context):
    serial = event["parameters"].get("SerialNumber", "")
    keys = ("claimCertificateId", "certificateId", "certificatePem", "templateArn", "clientId")
    known = all(event.get(key) for key in keys)
    allowed = known and serial.startswith("OK")
    return {"allowProvisioning": allowed, "parameterOverrides": {"Group": "%s"} if allowed else {}}
"""
THING = "${iot:Connection.Thing.ThingName}"


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(*statements):
    listed = [
        {"Effect": "Allow", "Action": actions, "Resource": resources, **(extra[0] if extra else {})}
        for actions, resources, *extra in statements
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": listed})


@dataclass(frozen=True)
class Fleet:
    cloud: object
    name: str
    group_arn: str
    template: str
    claim: Identity
    alias: str
    table: str
    bucket: str

    @property
    def group(self):
        return self.group_arn.rpartition("/")[2]

    def thing(self, serial):
        return f"{self.name}-{serial}"

    def provision(self, serial, *, subscribe=False):
        """The answer's topic and document, and the identity that a till would go on with."""
        key, request = signing_request(self.thing(serial))
        create, provision = (
            "$aws/certificates/create-from-csr/json",
            f"$aws/provisioning-templates/{self.template}/provision/json",
        )
        with Device(self.cloud, self.claim, f"claim-{serial}") as device:
            if subscribe:
                for topic in (create, provision):
                    device.subscribe(f"{topic}/accepted")
                    device.subscribe(f"{topic}/rejected")
            _topic, made = device.ask(create, {"certificateSigningRequest": request})
            answer = device.ask(
                provision,
                {
                    "certificateOwnershipToken": made["certificateOwnershipToken"],
                    "parameters": {"SerialNumber": serial},
                },
            )
        return *answer, Identity(made["certificatePem"], key)


def make(cloud) -> Fleet:
    name = f"f{uuid.uuid4().hex[:8]}"
    iot, iam = cloud.client("iot"), cloud.client("iam")
    account, region = cloud.state.cloud.account, cloud.state.cloud.region
    arn = f"arn:aws:iot:{region}:{account}"
    group_arn = iot.create_thing_group(thingGroupName=f"{name}-dev")["thingGroupArn"]
    template, alias = f"{name}-provisioning", f"{name}-tills"
    _roles(iam, name)
    _policies(iot, arn, name, template, alias)
    role = f"arn:aws:iam::{account}:role/{name}"
    iot.create_role_alias(roleAlias=alias, roleArn=f"{role}-exchange")
    function = cloud.client("lambda").create_function(
        FunctionName=f"{name}-hook",
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"{role}-hook",
        Code={"ZipFile": zipped("index.py", HOOK % f"{name}-dev")},
    )["FunctionArn"]
    cloud.client("lambda").add_permission(
        FunctionName=f"{name}-hook",
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceAccount=account,
    )
    iot.create_provisioning_template(
        templateName=template,
        templateBody=json.dumps(_template(name)),
        enabled=True,
        provisioningRoleArn=f"{role}-provisioning",
        preProvisioningHook={"targetArn": function},
    )
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=f"{name}-claim", target=made["certificateArn"])
    _stores(cloud, name)
    claim = Identity(made["certificatePem"], made["keyPair"]["PrivateKey"])
    return Fleet(cloud, name, group_arn, template, claim, alias, f"{name}-sales", f"{name}-sales")


def _roles(iam, name):
    iam.create_role(RoleName=f"{name}-hook", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    iam.create_role(RoleName=f"{name}-provisioning", AssumeRolePolicyDocument=trust("iot.amazonaws.com"))
    iam.put_role_policy(
        RoleName=f"{name}-provisioning", PolicyName="iot", PolicyDocument=policy(("iot:*", "*"))
    )
    exchange = f"{name}-exchange"
    iam.create_role(RoleName=exchange, AssumeRolePolicyDocument=trust("credentials.iot.amazonaws.com"))
    mine = "${credentials-iot:ThingName}"
    own = {"Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [mine]}}}
    writes = ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"]
    document = policy(
        (writes, f"arn:aws:dynamodb:*:*:table/{name}-sales", own),
        (["s3:PutObject", "s3:GetObject"], f"arn:aws:s3:::{name}-sales/sales/date=*/till={mine}/*"),
    )
    iam.put_role_policy(RoleName=exchange, PolicyName="own", PolicyDocument=document)


def _policies(iot, arn, name, template, alias):
    provisioning = ["$aws/certificates/create-from-csr", f"$aws/provisioning-templates/{template}/provision"]
    claim = policy(
        ("iot:Connect", "*"),
        (["iot:Publish", "iot:Receive"], [f"{arn}:topic/{each}/*" for each in provisioning]),
        ("iot:Subscribe", [f"{arn}:topicfilter/{each}/*" for each in provisioning]),
    )
    mine = [f"$aws/things/{THING}/{each}/*" for each in ("jobs", "greengrassv2/health", "shadow")]
    core = policy(
        ("iot:Connect", [f"{arn}:client/{THING}", f"{arn}:client/{THING}#*"]),
        (["iot:Publish", "iot:Receive"], [f"{arn}:topic/{each}" for each in mine]),
        ("iot:Subscribe", [f"{arn}:topicfilter/{each}" for each in mine]),
        ("iot:AssumeRoleWithCertificate", f"{arn}:rolealias/{alias}"),
        (["greengrass:ResolveComponentCandidates", "greengrass:ListThingGroupsForCoreDevice"], "*"),
    )
    iot.create_policy(policyName=f"{name}-claim", policyDocument=claim)
    iot.create_policy(policyName=f"{name}-core", policyDocument=core)


def _template(name):
    return {
        "Parameters": {
            "SerialNumber": {"Type": "String"},
            "Group": {"Type": "String"},
            "AWS::IoT::Certificate::Id": {"Type": "String"},
        },
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {
                    "ThingName": {"Fn::Join": ["", [f"{name}-", {"Ref": "SerialNumber"}]]},
                    "ThingGroups": [{"Ref": "Group"}],
                },
                "OverrideSettings": {"ThingGroups": "DO_NOTHING"},
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {
                    "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"},
                    "Status": "ACTIVE",
                    "ThingPrincipalType": "EXCLUSIVE_THING",
                },
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": f"{name}-core"}},
        },
        "DeviceConfiguration": {"fleet": name},
    }


def _stores(cloud, name):
    cloud.client("dynamodb").create_table(
        TableName=f"{name}-sales",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    location = {"LocationConstraint": cloud.state.cloud.region}
    cloud.client("s3").create_bucket(Bucket=f"{name}-sales", CreateBucketConfiguration=location)


def zipped(file, text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(file, text)
    return buffer.getvalue()
