"""One component version after another: artifacts under their digest first, then the version."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from infra.names import DIGEST_TAG, FLEET_TAG, Names
from release.recipe import render

SECONDS_BETWEEN_CREATIONS = 1.1  # CreateComponentVersion: 1 a second and Region
SECONDS_BETWEEN_LOOKS = 1.0
MOST_LOOKS = 120


class PublishError(Exception):
    """A version that can't be published, in a sentence that says what to do."""


@dataclass(frozen=True)
class Staged:
    """An object in the bucket where CDK stages assets."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        return cls(bucket=value["Bucket"], key=value["Key"])


@dataclass(frozen=True)
class Artifact:
    """`sha256` is in hex, as the manifest has it."""

    file: str
    sha256: str
    staged: Staged


@dataclass(frozen=True)
class Version:
    """One build; `digest` is `sha256:<hex>` over recipe and artifacts."""

    component: str
    version: str
    digest: str
    recipe: Staged
    artifacts: tuple[Artifact, ...]

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            component=value["Component"],
            version=value["Version"],
            digest=value["Digest"],
            recipe=Staged.parse(value["Recipe"]),
            artifacts=tuple(
                Artifact(file=one["File"], sha256=one["Sha256"], staged=Staged.parse(one))
                for one in value["Artifacts"]
            ),
        )


class Publisher:
    def __init__(
        self, *, greengrass: Any, s3: Any, names: Names, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._greengrass = greengrass
        self._s3 = s3
        self._names = names
        self._sleep = sleep

    def publish(self, version: Version) -> bool:
        """True when the version was created, False when it is there with the same digest already.

        Raises PublishError when it is there with another digest: a version never changes.
        """
        name = self._names.component(version.component)
        arn = self._names.arn("greengrass", f"components:{name}:versions:{version.version}")
        known = self._describe(arn)
        if known is not None:
            self._check_same(name, version, known)
            self._wait_until_deployable(arn)
            return False
        for artifact in version.artifacts:
            self._copy(version, artifact)
        self._create(version)
        self._wait_until_deployable(arn)
        return True

    def _describe(self, arn: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._greengrass.describe_component(arn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None
        return found

    def _check_same(self, name: str, version: Version, known: Mapping[str, Any]) -> None:
        digest = known.get("tags", {}).get(DIGEST_TAG)
        if digest != version.digest:
            raise PublishError(
                f"{name} {version.version} is published with {digest or 'no digest'}, and this build has "
                f"{version.digest}: a version never changes, so give the component a new version "
                "and run greentill release build."
            )

    def _copy(self, version: Version, artifact: Artifact) -> None:
        """Into the artifact bucket, under the build's digest; what is there already stays as it is."""
        bucket = self._names.artifact_bucket
        key = self._names.artifact_key(version.component, version.digest, artifact.file)
        if not self._exists(bucket, key):
            source = {"Bucket": artifact.staged.bucket, "Key": artifact.staged.key}
            self._s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
        if (found := self._sha256(bucket, key)) != artifact.sha256:
            raise PublishError(
                f"s3://{bucket}/{key} has SHA-256 {found}, and the build says {artifact.sha256}: "
                "run greentill release build and deploy again, or delete that object if it was changed."
            )

    def _exists(self, bucket: str, key: str) -> bool:
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return bool(found) and found[0]["Key"] == key

    def _sha256(self, bucket: str, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()

    def _create(self, version: Version) -> None:
        text = (
            self._s3.get_object(Bucket=version.recipe.bucket, Key=version.recipe.key)["Body"].read().decode()
        )
        recipe = render(
            text, fleet=self._names.fleet, bucket=self._names.artifact_bucket, digest=version.digest
        )
        self._sleep(SECONDS_BETWEEN_CREATIONS)
        self._greengrass.create_component_version(
            inlineRecipe=recipe.encode(),
            tags={FLEET_TAG: self._names.fleet, DIGEST_TAG: version.digest},
        )

    def _wait_until_deployable(self, arn: str) -> None:
        """The service reads the artifacts to learn their digests before a version can be deployed."""
        for _ in range(MOST_LOOKS):
            status = (self._describe(arn) or {}).get("status", {})
            if status.get("componentState") == "DEPLOYABLE":
                return
            if status.get("componentState") in ("FAILED", "DEPRECATED"):
                raise PublishError(
                    f"{arn} can't be deployed: {status.get('message')} {status.get('errors', '')}"
                )
            self._sleep(SECONDS_BETWEEN_LOOKS)
        raise PublishError(f"{arn} was not deployable within {MOST_LOOKS} looks; deploy again.")
