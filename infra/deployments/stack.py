"""What a stage runs: one deployment to its thing group, with every version pinned."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_greengrassv2 as greengrass

from infra.names import Names
from infra.settings import Release, Stage

# Unpinned, AWS's own components update themselves and restart tills.
NUCLEUS = {
    "classic": ("aws.greengrass.Nucleus", "2.18.2"),
    "lite": ("aws.greengrass.NucleusLite", "2.6.0"),
}
TOKEN_EXCHANGE = ("aws.greengrass.TokenExchangeService", "2.0.3")

NOTICE_SECONDS = 60
VALIDATION_SECONDS = 30

Specification = greengrass.CfnDeployment.ComponentDeploymentSpecificationProperty


class StageDeployment(Stack):
    def __init__(
        self, app: App, names: Names, environment: Environment, stage: Stage, release: Release
    ) -> None:
        super().__init__(
            app,
            names.deployment_stack(stage.name),
            env=environment,
            description=f"Greentill: what the tills of {stage.name} run",
        )
        greengrass.CfnDeployment(
            self,
            "Deployment",
            deployment_name=names.deployment(stage.name),
            target_arn=names.group_arn(names.stage_group(stage.name)),
            components={
                name: Specification(component_version=version)
                for name, version in (NUCLEUS[stage.nucleus], TOKEN_EXCHANGE)
            }
            | {
                names.component(short): _specification(
                    pinned.version, _configuration(names, short, stage.configuration.get(short, {}))
                )
                for short, pinned in release.components.items()
            },
            deployment_policies=_policies(),
        )


def _specification(version: str, configuration: Mapping[str, Any]) -> Specification:
    if not configuration:
        return Specification(component_version=version)
    merge = json.dumps(configuration, sort_keys=True, ensure_ascii=False)
    return Specification(
        component_version=version,
        configuration_update=greengrass.CfnDeployment.ComponentConfigurationUpdateProperty(merge=merge),
    )


def _configuration(_names: Names, _component: str, configured: Mapping[str, Any]) -> Mapping[str, Any]:
    return configured


def _policies() -> greengrass.CfnDeployment.DeploymentPoliciesProperty:
    """A release that fails on a till is rolled back there; components are asked before they are replaced."""
    return greengrass.CfnDeployment.DeploymentPoliciesProperty(
        failure_handling_policy="ROLLBACK",
        component_update_policy=greengrass.CfnDeployment.DeploymentComponentUpdatePolicyProperty(
            action="NOTIFY_COMPONENTS", timeout_in_seconds=NOTICE_SECONDS
        ),
        configuration_validation_policy=greengrass.CfnDeployment.DeploymentConfigurationValidationPolicyProperty(
            timeout_in_seconds=VALIDATION_SECONDS
        ),
    )
