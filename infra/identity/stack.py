"""Who a till is and what it may do: groups, policies, provisioning by claim, and the registry behind it."""

from aws_cdk import App, Environment, RemovalPolicy, Stack
from aws_cdk import aws_iot as iot
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.identity.policies import claim_policy, core_policy
from infra.identity.presences import Presences
from infra.identity.provisioning import Provisioning
from infra.identity.registry import Registry
from infra.identity.rotations import Rotations
from infra.identity.token_exchange import TokenExchange
from infra.names import Names
from infra.settings import Settings


class Identity(Stack):
    def __init__(self, app: App, names: Names, environment: Environment, settings: Settings) -> None:
        super().__init__(
            app,
            names.stack("Identity"),
            env=environment,
            description="Greentill: thing groups, IoT policies, provisioning, registry",
        )
        registry = Registry(self, names)
        policies = [
            iot.CfnPolicy(
                self, "CorePolicy", policy_name=names.core_policy, policy_document=core_policy(names)
            ),
            iot.CfnPolicy(
                self, "ClaimPolicy", policy_name=names.claim_policy, policy_document=claim_policy(names)
            ),
        ]
        TokenExchange(self, names)
        logs.LogGroup(
            self,
            "TillLogs",
            log_group_name=names.till_log_group,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        groups = _groups(self, names, sorted(settings.stages))
        thing_type = iot.CfnThingType(
            self,
            "TillType",
            thing_type_name=names.thing_type,
            thing_type_properties=iot.CfnThingType.ThingTypePropertiesProperty(
                searchable_attributes=["store", "serial"], thing_type_description="A till of the fleet"
            ),
        )
        _tills(self, names, settings)
        provisioning = Provisioning(self, names)
        provisioning.node.add_dependency(registry, thing_type, *policies, *groups)
        Presences(self, names).node.add_dependency(registry)
        stages = sorted(settings.stages)
        Rotations(self, names, stages, settings.fleet.rotate_after_days).node.add_dependency(
            registry, *policies
        )


def _groups(scope: Construct, names: Names, stages: list[str]) -> list[iot.CfnThingGroup]:
    """A group per stage, which a till's deployment targets, and below it the stage's canaries."""
    groups = []
    for stage in stages:
        group = iot.CfnThingGroup(
            scope,
            f"Stage{stage.title()}",
            thing_group_name=names.stage_group(stage),
        )
        canary = iot.CfnThingGroup(
            scope,
            f"Canary{stage.title()}",
            thing_group_name=names.canary_group(stage),
            parent_group_name=names.stage_group(stage),
        )
        canary.add_resource_dependency(group)
        groups += [group, canary]
    return groups


def _tills(scope: Construct, names: Names, settings: Settings) -> None:
    """The tills that fleet.toml lists. Their stage group comes with their certificate, at provisioning."""
    for till in settings.tills.values():
        iot.CfnThing(
            scope,
            f"Till{till.serial}",
            thing_name=names.thing(till.serial),
            attribute_payload=iot.CfnThing.AttributePayloadProperty(
                attributes={"serial": till.serial, "store": till.store}
            ),
        )
