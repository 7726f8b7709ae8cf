"""Component versions: artifacts first, one after another; a version never changes."""

import hashlib
import json
from typing import Any

import boto3
import pytest

from infra.components.publisher.publish import Artifact, Publisher, PublishError, Staged, Version
from infra.names import DIGEST_TAG, FLEET_TAG, Names
from tests.infra.fake_greengrass import FakeGreengrass

STAGING = "cdk-hnb659fds-assets-123456789012-eu-west-1"
CONTENT = b"the component's code"
DIGEST = "sha256:" + "a" * 64
ARN = FakeGreengrass.arn("com.greentill.Pos", "1.0.0")


@pytest.fixture
def s3(aws: None, names: Names) -> Any:
    client = boto3.client("s3")
    for bucket in (STAGING, names.artifact_bucket):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    recipe = {
        "ComponentName": "com.@FLEET@.Pos",
        "ComponentVersion": "1.0.0",
        "Uri": "s3://@BUCKET@/components/Pos/@DIGEST@/pos.zip",
    }
    client.put_object(Bucket=STAGING, Key="recipe", Body=json.dumps(recipe))
    client.put_object(Bucket=STAGING, Key="zip", Body=CONTENT)
    return client


@pytest.fixture
def greengrass() -> FakeGreengrass:
    return FakeGreengrass()


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def publisher(s3: Any, greengrass: FakeGreengrass, names: Names, sleeps: list[float]) -> Publisher:
    return Publisher(greengrass=greengrass, s3=s3, names=names, sleep=sleeps.append)


def version(digest: str = DIGEST, sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> Version:
    return Version(
        component="Pos",
        version="1.0.0",
        digest=digest,
        recipe=Staged(STAGING, "recipe"),
        artifacts=(Artifact("pos.zip", sha256, Staged(STAGING, "zip")),),
    )


def test_a_new_version_has_its_artifact_where_its_recipe_points(
    publisher: Publisher, greengrass: FakeGreengrass, s3: Any, names: Names
) -> None:
    assert publisher.publish(version())
    uri = greengrass.versions[ARN]["recipe"]["Uri"]
    assert uri == f"s3://{names.artifact_bucket}/components/Pos/{'a' * 64}/pos.zip"
    key = uri.partition(f"{names.artifact_bucket}/")[2]
    assert s3.get_object(Bucket=names.artifact_bucket, Key=key)["Body"].read() == CONTENT
    assert greengrass.versions[ARN]["tags"] == {FLEET_TAG: "greentill", DIGEST_TAG: DIGEST}


def test_creations_keep_to_one_a_second(publisher: Publisher, sleeps: list[float]) -> None:
    publisher.publish(version())
    assert sleeps and min(sleeps) >= 1


def test_the_same_build_again_changes_nothing(publisher: Publisher, greengrass: FakeGreengrass) -> None:
    publisher.publish(version())
    before = json.dumps(greengrass.versions)
    assert not publisher.publish(version())
    assert json.dumps(greengrass.versions) == before


def test_another_build_under_the_same_version_is_an_error(publisher: Publisher) -> None:
    publisher.publish(version())
    with pytest.raises(PublishError, match="never changes, so give the component a new version"):
        publisher.publish(version(digest="sha256:" + "b" * 64))


def test_a_version_made_by_hand_is_not_taken_for_ours(
    publisher: Publisher, greengrass: FakeGreengrass
) -> None:
    greengrass.versions[ARN] = {"recipe": {}, "tags": {}, "state": "DEPLOYABLE"}
    with pytest.raises(PublishError, match="no digest"):
        publisher.publish(version())


def test_bytes_that_are_not_the_builds_are_never_published(
    publisher: Publisher, greengrass: FakeGreengrass
) -> None:
    with pytest.raises(PublishError, match="the build says"):
        publisher.publish(version(sha256="0" * 64))
    assert not greengrass.versions


def test_a_version_that_fails_to_become_deployable_stops_the_deploy(
    publisher: Publisher, greengrass: FakeGreengrass
) -> None:
    greengrass.state_after_creation = "FAILED"
    with pytest.raises(PublishError, match="because"):
        publisher.publish(version())


def test_what_the_stack_passes_is_what_the_publisher_reads() -> None:
    properties = {
        "Component": "Pos",
        "Version": "1.0.0",
        "Digest": DIGEST,
        "Recipe": {"Bucket": STAGING, "Key": "recipe"},
        "Artifacts": [
            {
                "File": "pos.zip",
                "Sha256": hashlib.sha256(CONTENT).hexdigest(),
                "Bucket": STAGING,
                "Key": "zip",
            }
        ],
    }
    assert Version.parse(properties) == version()
