"""CloudFormation against the twin: what it makes is read back, and what AWS would not delete stays."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError, WaiterError

pytestmark = pytest.mark.twin
NOBODY = {"Version": "2012-10-17", "Statement": []}
WAIT = {"Delay": 1, "MaxAttempts": 60}


@pytest.fixture
def name():
    return f"t{uuid.uuid4().hex[:8]}"


def deploy(cloud, name, **resources):
    cloudformation = cloud.client("cloudformation")
    body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=WAIT)


def destroy(cloud, name):
    cloudformation = cloud.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAIT)


def resource(kind, **properties):
    return {"Type": kind, "Properties": properties}


def test_a_bucket_has_the_properties_of_its_template(cloud, name):
    rule = {"Id": "old", "Status": "Enabled", "ExpirationInDays": 30}
    default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    deploy(
        cloud,
        name,
        Bucket=resource(
            "AWS::S3::Bucket",
            BucketName=name,
            Tags=[{"Key": "fleet", "Value": "x"}],
            LifecycleConfiguration={"Rules": [rule]},
            BucketEncryption={"ServerSideEncryptionConfiguration": [default]},
        ),
    )
    s3 = cloud.client("s3")
    assert {"Key": "fleet", "Value": "x"} in s3.get_bucket_tagging(Bucket=name)["TagSet"]
    found = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]
    assert (found["ID"], found["Expiration"]["Days"]) == ("old", 30)
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    destroy(cloud, name)


def test_a_bucket_with_an_object_is_not_deleted(cloud, name):
    deploy(cloud, name, Bucket=resource("AWS::S3::Bucket", BucketName=name))
    s3 = cloud.client("s3")
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    with pytest.raises(WaiterError):
        destroy(cloud, name)
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"x"
    s3.delete_object(Bucket=name, Key="a")
    destroy(cloud, name)


def test_a_table_expires_items_and_can_be_recovered(cloud, name):
    deploy(
        cloud,
        name,
        Table=resource(
            "AWS::DynamoDB::Table",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        ),
    )
    dynamodb = cloud.client("dynamodb")
    assert (
        dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == "expires"
    )
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    destroy(cloud, name)


def test_a_role_alias_and_a_deployment_live_and_go_with_their_stack(cloud, name):
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "credentials.iot.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    account, region = cloud.state.cloud.account, cloud.state.cloud.region
    deploy(
        cloud,
        name,
        Role=resource(
            "AWS::IAM::Role",
            RoleName=name,
            AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        ),
        Alias=resource("AWS::IoT::RoleAlias", RoleAlias=name, RoleArn={"Fn::GetAtt": ["Role", "Arn"]}),
        Group=resource("AWS::IoT::ThingGroup", ThingGroupName=name),
        Deployment={
            "DependsOn": "Group",
            **resource(
                "AWS::GreengrassV2::Deployment",
                TargetArn=f"arn:aws:iot:{region}:{account}:thinggroup/{name}",
                Components={"aws.greengrass.Cli": {"ComponentVersion": "2.18.2"}},
            ),
        },
    )
    alias = cloud.client("iot").describe_role_alias(roleAlias=name)["roleAliasDescription"]
    assert alias["roleArn"] == f"arn:aws:iam::{account}:role/{name}"
    greengrass, target = cloud.client("greengrassv2"), f"arn:aws:iot:{region}:{account}:thinggroup/{name}"
    listed = greengrass.list_deployments(targetArn=target)["deployments"]
    components = greengrass.get_deployment(deploymentId=listed[0]["deploymentId"])["components"]
    assert components == {"aws.greengrass.Cli": {"componentVersion": "2.18.2"}}
    destroy(cloud, name)
    assert greengrass.list_deployments(targetArn=target)["deployments"] == []
    with pytest.raises(ClientError):
        cloud.client("iot").describe_role_alias(roleAlias=name)


def test_an_attached_policy_is_not_deleted(cloud, name):
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    deploy(cloud, name, Policy=resource("AWS::IoT::Policy", PolicyName=name, PolicyDocument=document))
    iot = cloud.client("iot")
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=name, target=certificate)
    with pytest.raises(WaiterError):
        destroy(cloud, name)
    iot.detach_policy(policyName=name, target=certificate)
    destroy(cloud, name)


def test_a_thing_with_a_certificate_is_not_deleted(cloud, name):
    deploy(cloud, name, Thing=resource("AWS::IoT::Thing", ThingName=name))
    iot = cloud.client("iot")
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_thing_principal(thingName=name, principal=certificate)
    with pytest.raises(WaiterError):
        destroy(cloud, name)
    iot.detach_thing_principal(thingName=name, principal=certificate)
    destroy(cloud, name)


def test_what_a_resource_needs_stays_while_its_own_deletion_fails(cloud, name):
    """As on AWS, where the function behind a custom resource outlives a deletion that it refused."""
    used = {"Fn::GetAtt": ["Role", "Arn"]}
    deploy(
        cloud,
        name,
        Role=resource("AWS::IAM::Role", RoleName=name, AssumeRolePolicyDocument=NOBODY),
        Bucket=resource("AWS::S3::Bucket", BucketName=name, Tags=[{"Key": "role", "Value": used}]),
        Other=resource("AWS::S3::Bucket", BucketName=f"{name}-other"),
    )
    s3, iam = cloud.client("s3"), cloud.client("iam")
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    with pytest.raises(WaiterError):
        destroy(cloud, name)
    assert iam.get_role(RoleName=name)["Role"]["RoleName"] == name
    assert f"{name}-other" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.delete_object(Bucket=name, Key="a")
    destroy(cloud, name)
    with pytest.raises(ClientError):
        iam.get_role(RoleName=name)
