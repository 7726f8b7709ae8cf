"""Depends on every other stack, so that a destroy begins here: with what no stack owns."""

from collections.abc import Sequence

from aws_cdk import App, CustomResource, Duration, Environment, Stack
from aws_cdk import aws_iam as iam

from infra.acknowledge import acknowledge
from infra.function import Function
from infra.names import Names

PACKAGE = "infra/cleanup/sweep"


class Cleanup(Stack):
    def __init__(self, app: App, names: Names, environment: Environment, stages: Sequence[str]) -> None:
        super().__init__(
            app,
            names.stack("Cleanup"),
            env=environment,
            description="Greentill: on delete, sweeps what provisioning and releases made",
        )
        sweeper = Function(
            self,
            "sweeper",
            names=names,
            description="Deletes the fleet's things, certificates, deployments and component versions",
            handler="infra.cleanup.sweep.handler.handle",
            sources=[
                *(
                    f"{PACKAGE}/{file}.py"
                    for file in ("handler", "sweep", "attempt", "greengrass", "identities")
                ),
                "infra/custom_resource.py",
                "infra/errors.py",
                "infra/names.py",
            ],
            statements=_statements(names),
            environment={"ACCOUNT": names.account},
            timeout=Duration.minutes(15),
        )
        CustomResource(
            self,
            "Swept",
            resource_type="Custom::SweptFleet",
            service_token=sweeper.function.function_arn,
            service_timeout=Duration.hours(1),
            properties={"Fleet": names.fleet, "Stages": list(stages)},
        )
        acknowledge(
            sweeper,
            "It finds what carries the fleet's name by listing; certificates and deployments have ids of "
            "AWS's making, so they are named by kind. All else is limited to the fleet's own names.",
            *(f"AwsSolutions-IAM5[Resource::{resource}]" for resource in _wildcards(names)),
        )


def _certificates(names: Names) -> str:
    return names.arn("iot", "cert/*")


def _deployments(names: Names) -> str:
    return names.arn("greengrass", "deployments:*")


def _core_devices(names: Names) -> str:
    return names.arn("greengrass", f"coreDevices:{names.prefix}*")


def _components(names: Names) -> str:
    return names.arn("greengrass", f"components:{names.component_prefix}*")


def _things(names: Names) -> str:
    return names.thing_arn(f"{names.prefix}*")


def _groups(names: Names) -> str:
    return names.group_arn(f"{names.prefix}*")


def _wildcards(names: Names) -> list[str]:
    return [
        "*",
        _certificates(names),
        _deployments(names),
        _core_devices(names),
        _components(names),
        _things(names),
        _groups(names),
    ]


def _statements(names: Names) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            sid="Find",
            actions=[
                "greengrass:ListComponents",
                "greengrass:ListCoreDevices",
                "greengrass:ListDeployments",
                "iot:ListAttachedPolicies",
                "iot:ListPrincipalThings",
                "iot:ListTargetsForPolicy",
                "iot:ListThings",
                "iot:ListThingPrincipals",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            sid="Members", actions=["iot:ListThingsInThingGroup"], resources=[_groups(names)]
        ),
        iam.PolicyStatement(
            sid="Door",
            actions=["iot:UpdateProvisioningTemplate", "iot:DeprecateThingType"],
            resources=[
                names.arn("iot", f"provisioningtemplate/{names.provisioning_template}"),
                names.arn("iot", f"thingtype/{names.thing_type}"),
            ],
        ),
        iam.PolicyStatement(
            sid="Certificates",
            actions=["iot:UpdateCertificate", "iot:DeleteCertificate"],
            resources=[_certificates(names)],
        ),
        iam.PolicyStatement(
            sid="DetachPolicies", actions=["iot:DetachPolicy"], resources=[_certificates(names)]
        ),
        iam.PolicyStatement(
            sid="DetachThings", actions=["iot:DetachThingPrincipal"], resources=[_certificates(names)]
        ),
        iam.PolicyStatement(
            sid="Things",
            actions=["iot:DeleteThing", "iot:DeleteThingShadow", "iot:DetachThingPrincipal"],
            resources=[_things(names)],
        ),
        iam.PolicyStatement(
            sid="Deployments",
            actions=["greengrass:CancelDeployment", "greengrass:DeleteDeployment"],
            resources=[_deployments(names)],
        ),
        # A deployment to a group is an IoT job behind the scenes; Greengrass cancels and deletes it as us.
        iam.PolicyStatement(
            sid="Jobs",
            actions=[
                "iot:CancelJob",
                "iot:DeleteJob",
                "iot:DescribeJob",
                "iot:DescribeThing",
                "iot:DescribeThingGroup",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            sid="CoreDevices", actions=["greengrass:DeleteCoreDevice"], resources=[_core_devices(names)]
        ),
        iam.PolicyStatement(
            sid="ComponentVersions",
            actions=["greengrass:ListComponentVersions", "greengrass:DeleteComponent"],
            resources=[_components(names)],
        ),
        iam.PolicyStatement(
            sid="NextTurn",
            actions=["lambda:InvokeFunction"],
            resources=[names.arn("lambda", f"function:{names.function('sweeper')}")],
        ),
    ]
