"""Provisioning by claim: the template, the hook that admits a serial, and what closes the claim after."""

import json

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.function import Function
from infra.identity.functions import acknowledge_retirement, registry_function, retirement
from infra.identity.listening import listen
from infra.identity.refusals import Refusals
from infra.identity.template import template_body
from infra.names import Names
from infra.schedule import Schedule

HOOK_SECONDS = 5  # AWS IoT waits no longer for a pre-provisioning hook


class Provisioning(Construct):
    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, "Provisioning")
        self._names = names
        hook = self._hook()
        self._template(hook)
        Refusals(self, names, hook)
        self._close_claim_on_first_contact()
        self._end_claims_every_hour()

    def _hook(self) -> Function:
        hook = registry_function(
            self,
            self._names,
            duty="provisioning-hook",
            package="hook",
            description="Admits a till to provisioning when the registry expects it",
            table_actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            timeout=Duration.seconds(HOOK_SECONDS),
        )
        hook.admit("iot", self._names.arn("iot", f"provisioningtemplate/{self._names.provisioning_template}"))
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
        contact = registry_function(
            self,
            self._names,
            duty="first-contact",
            package="contact",
            description="Closes a till's claim once the till has connected with its own certificate",
            table_actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            statements=[*retirement(self._names), self._put_into_stage()],
            modules=[
                "infra/identity/certificates.py",
                "infra/identity/rows.py",
                "infra/identity/groups.py",
                "infra/errors.py",
                "infra/names.py",
            ],
            timeout=Duration.minutes(1),
        )
        acknowledge_retirement(contact, self._names)
        self._acknowledge_groups(contact)
        listen(
            contact,
            self._names,
            contact,
            rule="first_contact",
            description="A till of this fleet has connected",
            sql=connected(self._names),
        )

    def _put_into_stage(self) -> iam.PolicyStatement:
        """The rights of `infra.identity.groups.settle_by_row`."""
        return iam.PolicyStatement(
            sid="PutIntoStage",
            actions=[
                "iot:ListThingGroupsForThing",
                "iot:RemoveThingFromThingGroup",
                "iot:AddThingToThingGroup",
                "iot:DescribeThing",
            ],
            resources=[self._names.thing_arn(f"{self._names.prefix}*"), self._groups()],
        )

    def _acknowledge_groups(self, function: Function) -> None:
        acknowledge(
            function,
            "A till is taken out of whichever group of the fleet it shouldn't be in.",
            f"AwsSolutions-IAM5[Resource::{self._groups()}]",
        )

    def _groups(self) -> str:
        return self._names.arn("iot", f"thinggroup/{self._names.prefix}*")

    def _end_claims_every_hour(self) -> None:
        claims = registry_function(
            self,
            self._names,
            duty="claims",
            package="claims",
            description="Ends claims that have expired, and what a first contact left of them",
            table_actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            statements=[
                *retirement(self._names),
                self._put_into_stage(),
                iam.PolicyStatement(
                    actions=["dynamodb:Query"],
                    resources=[f"{self._names.table_arn(self._names.registry_table)}/index/by-claim"],
                ),
            ],
            modules=[
                "infra/identity/certificates.py",
                "infra/identity/rows.py",
                "infra/identity/groups.py",
                "infra/identity/troubles.py",
                "infra/errors.py",
                "infra/names.py",
            ],
            timeout=Duration.minutes(15),
        )
        acknowledge_retirement(claims, self._names)
        self._acknowledge_groups(claims)
        Schedule(self, self._names, claims, Duration.hours(1))


def connected(names: Names) -> str:
    """Rule SQL over the connections of the fleet's things."""
    topic = "$aws/events/presence/connected/+"
    condition = f"startswith(clientId, '{names.prefix}')"
    return f"SELECT clientId, principalIdentifier FROM '{topic}' WHERE {condition}"  # noqa: S608 - IoT SQL
