"""Upload artifacts under their digest, create component versions: the same digest twice changes nothing."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.names import DIGEST_TAG, FLEET_TAG, Names
from release.build import Built
from release.errors import ReleaseError
from release.recipe import render

SECONDS_BETWEEN = 1.0  # CreateComponentVersion: 1/s in a Region (Greengrass quotas)
POLL_SECONDS = 0.5
READY_SECONDS = 60.0
ABSENT = {"404", "NoSuchKey", "NotFound", "ResourceNotFoundException"}

Progress = Callable[[str], None]
Pause = Callable[[float], None]


@dataclass(frozen=True)
class Published:
    """`created` is false where the version existed with the same digest."""

    component: str
    version: str
    digest: str
    arn: str
    created: bool


@dataclass(frozen=True)
class Cloud:
    """The clients of one account and Region, and the names that the fleet has there."""

    names: Names
    s3: Any
    greengrass: Any

    @classmethod
    def of(cls, fleet: str, region: str) -> "Cloud":
        """From the caller's own credentials, as every SDK finds them."""
        session = boto3.Session(region_name=region)
        account = session.client("sts").get_caller_identity()["Account"]
        return cls(Names(fleet, account, region), session.client("s3"), session.client("greengrassv2"))


def publish(
    built: Iterable[Built], cloud: Cloud, progress: Progress, pause: Pause = time.sleep
) -> list[Published]:
    """Publish in the order given. Raises ReleaseError where a version exists with another digest."""
    published: list[Published] = []
    for one in built:
        if published and published[-1].created:
            pause(SECONDS_BETWEEN)
        published.append(_publish(one, cloud, progress, pause))
    return published


def _publish(one: Built, cloud: Cloud, progress: Progress, pause: Pause) -> Published:
    arn = cloud.names.arn(
        "greengrass", f"components:{cloud.names.component(one.component)}:versions:{one.version}"
    )
    existing = _digest_of(arn, cloud)
    if existing == one.digest:
        progress(f"{one.component} {one.version} is published already")
        return Published(one.component, one.version, one.digest, arn, created=False)
    if existing is not None:
        raise ReleaseError(
            f"{one.component} {one.version} is published with digest {existing}, and this "
            f"build is {one.digest}: raise ComponentVersion in its recipe."
        )
    for file in sorted(one.artifacts):
        _upload(one, file, cloud, progress)
    recipe = render(
        one.recipe_text, fleet=cloud.names.fleet, bucket=cloud.names.artifact_bucket, digest=one.digest
    )
    tags = {FLEET_TAG: cloud.names.fleet, DIGEST_TAG: one.digest}
    made = cloud.greengrass.create_component_version(inlineRecipe=recipe.encode(), tags=tags)
    _await_deployable(one, made["arn"], cloud, pause)
    progress(f"Published {one.component} {one.version}")
    return Published(one.component, one.version, one.digest, made["arn"], created=True)


def _digest_of(arn: str, cloud: Cloud) -> str | None:
    try:
        described = cloud.greengrass.describe_component(arn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    return str(described.get("tags", {}).get(DIGEST_TAG, "unknown"))


def _upload(one: Built, file: str, cloud: Cloud, progress: Progress) -> None:
    """Artifacts lie under a digest of their content, so what is there already is the same."""
    key = cloud.names.artifact_key(one.component, one.digest, file)
    try:
        cloud.s3.head_object(Bucket=cloud.names.artifact_bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
    else:
        return
    progress(f"Uploading {file}")
    cloud.s3.upload_file(str(one.folder / file), cloud.names.artifact_bucket, key)


def _await_deployable(one: Built, arn: str, cloud: Cloud, pause: Pause) -> None:
    waited = 0.0
    while True:
        status = cloud.greengrass.describe_component(arn=arn)["status"]
        state = status["componentState"]
        if state == "DEPLOYABLE":
            return
        if state == "FAILED" or waited >= READY_SECONDS:
            reason = status.get("message") or f"its state is {state}"
            raise ReleaseError(f"{one.component} {one.version} can't be deployed: {reason}.")
        pause(POLL_SECONDS)
        waited += POLL_SECONDS
