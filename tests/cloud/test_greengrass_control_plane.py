"""boto3's greengrassv2 client against the twin: versions are made once, deployments reach groups."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.twin


def recipe(name, version="1.0.0", uri=None):
    manifest: dict[str, Any] = {"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": {"run": "sleep 1"}}
    if uri:
        manifest["Artifacts"] = [{"Uri": uri, "Unarchive": "ZIP"}]
    return json.dumps(
        {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": version,
            "ComponentDescription": "A test component",
            "Manifests": [manifest],
        }
    ).encode()


@pytest.fixture
def name():
    return f"com.test.C{uuid.uuid4().hex[:8]}"


@pytest.fixture
def group(cloud):
    return cloud.client("iot").create_thing_group(thingGroupName=f"g-{uuid.uuid4().hex[:8]}")["thingGroupArn"]


def refused(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_a_version_keeps_the_digest_of_the_object_that_was_there(cloud, name):
    bucket, data = f"artifacts-{uuid.uuid4().hex[:8]}", b"the artifact"
    cloud.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.state.cloud.region}
    )
    cloud.client("s3").put_object(Bucket=bucket, Key="components/a.zip", Body=data)
    greengrass = cloud.client("greengrassv2")
    made = greengrass.create_component_version(
        inlineRecipe=recipe(name, uri=f"s3://{bucket}/components/a.zip"),
        tags={"greentill:digest": "sha256:x"},
    )
    kept = json.loads(greengrass.get_component(arn=made["arn"])["recipe"])
    artifact = kept["Manifests"][0]["Artifacts"][0]
    assert artifact["Digest"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert greengrass.describe_component(arn=made["arn"])["tags"] == {"greentill:digest": "sha256:x"}


def test_a_version_whose_artifact_is_missing_is_refused(cloud, name):
    code = refused(
        cloud.client("greengrassv2").create_component_version,
        inlineRecipe=recipe(name, uri="s3://no-such-bucket/a.zip"),
    )
    assert code == "ValidationException"


def test_a_version_is_made_once(cloud, name):
    greengrass = cloud.client("greengrassv2")
    greengrass.create_component_version(inlineRecipe=recipe(name))
    assert refused(greengrass.create_component_version, inlineRecipe=recipe(name)) == "ConflictException"


def test_versions_are_listed_newest_first_and_deleted_one_by_one(cloud, name):
    greengrass = cloud.client("greengrassv2")
    arns = [
        greengrass.create_component_version(inlineRecipe=recipe(name, version))["arn"]
        for version in ("1.2.0", "1.10.0", "1.10.0-rc.1")
    ]
    component = arns[0].split(":versions:")[0]
    listed = greengrass.list_component_versions(arn=component)["componentVersions"]
    assert [each["componentVersion"] for each in listed] == ["1.10.0", "1.10.0-rc.1", "1.2.0"]
    latest = {
        each["componentName"]: each["latestVersion"] for each in greengrass.list_components()["components"]
    }
    assert latest[name]["componentVersion"] == "1.10.0"
    for arn in arns:
        greengrass.delete_component(arn=arn)
    assert refused(greengrass.list_component_versions, arn=component) == "ResourceNotFoundException"


def test_the_public_components_exist(cloud):
    listed = cloud.client("greengrassv2").list_components(scope="PUBLIC")["components"]
    names = {each["componentName"] for each in listed}
    assert {"aws.greengrass.Nucleus", "aws.greengrass.TokenExchangeService", "aws.greengrass.Cli"} <= names


def test_a_revision_replaces_the_one_before(cloud, name, group):
    greengrass = cloud.client("greengrassv2")
    greengrass.create_component_version(inlineRecipe=recipe(name))
    wanted = {name: {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"a": "b"}'}}}
    first = greengrass.create_deployment(targetArn=group, components=wanted)
    second = greengrass.create_deployment(targetArn=group, components={}, deploymentName="empty")
    assert greengrass.get_deployment(deploymentId=first["deploymentId"])["deploymentStatus"] == "INACTIVE"
    latest = greengrass.list_deployments(targetArn=group)["deployments"]
    assert [(each["deploymentId"], each["revisionId"]) for each in latest] == [(second["deploymentId"], "2")]
    assert greengrass.get_deployment(deploymentId=first["deploymentId"])["components"] == wanted


def test_an_active_deployment_is_cancelled_before_it_is_deleted(cloud, group):
    greengrass = cloud.client("greengrassv2")
    made = greengrass.create_deployment(targetArn=group, components={})["deploymentId"]
    assert refused(greengrass.delete_deployment, deploymentId=made) == "ConflictException"
    greengrass.cancel_deployment(deploymentId=made)
    greengrass.delete_deployment(deploymentId=made)
    assert refused(greengrass.get_deployment, deploymentId=made) == "ResourceNotFoundException"


def test_a_deployment_of_a_version_that_does_not_exist_is_refused(cloud, name, group):
    code = refused(
        cloud.client("greengrassv2").create_deployment,
        targetArn=group,
        components={name: {"componentVersion": "9.9.9"}},
    )
    assert code == "ResourceNotFoundException"


def test_a_user_without_rights_makes_no_component(cloud, name):
    iam = cloud.client("iam")
    user = f"u-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    poor = cloud.client(
        "greengrassv2",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    assert refused(poor.create_component_version, inlineRecipe=recipe(name)) == "AccessDeniedException"


def limited(cloud, service, actions, resource):
    """A client that may do `actions` on `resource` alone."""
    iam = cloud.client("iam")
    user = f"u-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="limited", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return cloud.client(
        service, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )


def test_a_right_to_make_components_ends_at_their_names(cloud, name):
    own = f"arn:aws:greengrass:{cloud.state.cloud.region}:{cloud.state.cloud.account}:components:{name}*"
    publisher = limited(cloud, "greengrassv2", "greengrass:CreateComponentVersion", own)
    assert publisher.create_component_version(inlineRecipe=recipe(f"{name}.Pos"))["componentVersion"]
    code = refused(publisher.create_component_version, inlineRecipe=recipe(f"x{name}"))
    assert code == "AccessDeniedException"


def test_a_right_to_detach_policies_ends_at_the_targets_it_names(cloud, name, group):
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}
    iot = cloud.client("iot")
    policy = name.replace(".", "-")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iot.create_policy(policyName=policy, policyDocument=document)
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    for target in (certificate, group):
        iot.attach_policy(policyName=policy, target=target)
    sweeper = limited(cloud, "iot", "iot:DetachPolicy", f"{certificate.rpartition('/')[0]}/*")
    assert refused(sweeper.detach_policy, policyName=policy, target=group) == "AccessDeniedException"
    sweeper.detach_policy(policyName=policy, target=certificate)
    assert iot.list_targets_for_policy(policyName=policy)["targets"] == [group]
