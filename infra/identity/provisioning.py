"""Provisioning by claim: the template, the hook that admits a serial, and what closes the claim after."""

import json

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.function import Function
from infra.identity.template import template_body
from infra.names import Names

HOOK_SECONDS = 5  # AWS IoT waits no longer for a pre-provisioning hook


class Provisioning(Construct):
    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, "Provisioning")
        self._names = names
        self._template(self._hook())
        self._close_claim_on_first_contact()

    def _hook(self) -> Function:
        hook = _registry_function(
            self,
            self._names,
            duty="provisioning-hook",
            package="hook",
            description="Admits a till to provisioning when the registry expects it",
            actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            timeout=Duration.seconds(HOOK_SECONDS),
        )
        lambda_.CfnPermission(
            self,
            "HookCalledByThisTemplate",
            action="lambda:InvokeFunction",
            function_name=hook.function.function_arn,
            principal="iot.amazonaws.com",
            source_account=self._names.account,
            source_arn=self._names.arn("iot", f"provisioningtemplate/{self._names.provisioning_template}"),
        )
        return hook

    def _template(self, hook: Function) -> None:
        role = iam.Role(
            self,
            "Role",
            role_name=self._names.provisioning_role,
            description="Lets AWS IoT make things and certificates for the fleet's provisioning template",
            assumed_by=iam.ServicePrincipal(
                "iot.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self._names.account}},
            ),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSIoTThingsRegistration")
            ],
        )
        acknowledge(
            role,
            "The policy that AWS IoT documents as required for a provisioning role.",
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSIoTThingsRegistration]",
        )
        iot.CfnProvisioningTemplate(
            self,
            "Template",
            template_name=self._names.provisioning_template,
            description="Makes a till of this fleet from a kit's claim",
            enabled=True,
            provisioning_role_arn=role.role_arn,
            template_body=json.dumps(template_body(self._names)),
            pre_provisioning_hook=iot.CfnProvisioningTemplate.ProvisioningHookProperty(
                target_arn=hook.function.function_arn, payload_version="2020-04-01"
            ),
        )

    def _close_claim_on_first_contact(self) -> None:
        contact = _registry_function(
            self,
            self._names,
            duty="first-contact",
            package="contact",
            description="Closes a till's claim once the till has connected with its own certificate",
            actions=["dynamodb:UpdateItem"],
            timeout=Duration.seconds(30),
        )
        rule = iot.CfnTopicRule(
            self,
            "ContactRule",
            rule_name=self._names.rule("first_contact"),
            topic_rule_payload=iot.CfnTopicRule.TopicRulePayloadProperty(
                description="A till of this fleet has connected",
                aws_iot_sql_version="2016-03-23",
                sql=connected(self._names),
                rule_disabled=False,
                actions=[
                    iot.CfnTopicRule.ActionProperty(
                        lambda_=iot.CfnTopicRule.LambdaActionProperty(
                            function_arn=contact.function.function_arn
                        )
                    )
                ],
            ),
        )
        lambda_.CfnPermission(
            self,
            "ContactCalledByThisRule",
            action="lambda:InvokeFunction",
            function_name=contact.function.function_arn,
            principal="iot.amazonaws.com",
            source_account=self._names.account,
            source_arn=self._names.arn("iot", f"rule/{rule.rule_name}"),
        )


def connected(names: Names) -> str:
    """Rule SQL over the connections of the fleet's things."""
    topic = "$aws/events/presence/connected/+"
    condition = f"startswith(clientId, '{names.prefix}')"
    return f"SELECT clientId, principalIdentifier FROM '{topic}' WHERE {condition}"  # noqa: S608 - IoT SQL


def _registry_function(
    scope: Construct,
    names: Names,
    *,
    duty: str,
    package: str,
    description: str,
    actions: list[str],
    timeout: Duration,
) -> Function:
    return Function(
        scope,
        duty,
        names=names,
        description=description,
        handler=f"infra.identity.{package}.handler.handle",
        sources=[f"infra/identity/{package}/handler.py"],
        statements=[iam.PolicyStatement(actions=actions, resources=[names.table_arn(names.registry_table)])],
        environment={"REGISTRY_TABLE": names.registry_table, "FLEET": names.fleet},
        timeout=timeout,
    )
