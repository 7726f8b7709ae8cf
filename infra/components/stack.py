"""Component versions, published by one function, one after another, and never changed or pruned."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import App, CustomResource, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets

from infra.acknowledge import acknowledge
from infra.function import Function
from infra.names import Names
from release.build import Built


class Components(Stack):
    def __init__(self, app: App, names: Names, environment: Environment, built: Sequence[Built]) -> None:
        super().__init__(
            app,
            names.stack("Components"),
            env=environment,
            description="Greentill: component versions and their artifacts",
        )
        versions = [self._version(one) for one in built]
        staging = _staging_bucket(self, names)
        publisher = Function(
            self,
            "publisher",
            names=names,
            description="Copies artifacts to their digest and creates component versions, 1 a second",
            handler="infra.components.publisher.handler.handle",
            sources=[
                "infra/components/publisher/handler.py",
                "infra/components/publisher/publish.py",
                "infra/custom_resource.py",
                "infra/errors.py",
                "infra/names.py",
                "release/errors.py",
                "release/recipe.py",
            ],
            statements=_statements(names, staging),
            environment={"FLEET": names.fleet, "ACCOUNT": names.account},
            memory_mb=512,
        )
        CustomResource(
            self,
            "Published",
            resource_type="Custom::ComponentVersions",
            service_token=publisher.function.function_arn,
            properties={"Versions": versions},
        )
        acknowledge(
            publisher,
            "It reads staged assets, writes below components/, and handles this fleet's components.",
            f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{staging}/*]",
            f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{names.artifact_bucket}/components/*]",
            f"AwsSolutions-IAM5[Resource::{_own_components(names)}]",
        )

    def _version(self, built: Built) -> dict[str, Any]:
        """What the publisher needs to know of one build; the bytes are staged as assets."""
        prefix = f"{built.component}-{built.version}"
        recipe = assets.Asset(self, f"{prefix}-recipe", path=str(built.folder / "recipe.json"))
        return {
            "Component": built.component,
            "Version": built.version,
            "Digest": built.digest,
            "Recipe": _location(recipe),
            "Artifacts": [
                {
                    "File": file,
                    "Sha256": sha256,
                    **_location(assets.Asset(self, f"{prefix}-{file}", path=str(built.folder / file))),
                }
                for file, sha256 in built.artifacts.items()
            ],
        }


def _location(asset: assets.Asset) -> dict[str, str]:
    return {"Bucket": asset.s3_bucket_name, "Key": asset.s3_object_key}


def _staging_bucket(stack: Stack, names: Names) -> str:
    """The bucket of `cdk bootstrap` in which assets are staged; its name is the synthesizer's convention."""
    return f"cdk-{stack.synthesizer.bootstrap_qualifier or 'hnb659fds'}-assets-{names.account}-{names.region}"


def _own_components(names: Names) -> str:
    return names.arn("greengrass", f"components:{names.component_prefix}*")


def _statements(names: Names, staging: str) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[f"arn:aws:s3:::{staging}/*"]),
        iam.PolicyStatement(
            actions=["s3:GetObject", "s3:PutObject"],
            resources=[f"arn:aws:s3:::{names.artifact_bucket}/components/*"],
        ),
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[f"arn:aws:s3:::{names.artifact_bucket}"]),
        iam.PolicyStatement(
            actions=[
                "greengrass:CreateComponentVersion",
                "greengrass:DescribeComponent",
                "greengrass:TagResource",
            ],
            resources=[_own_components(names)],
        ),
    ]
