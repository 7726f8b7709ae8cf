"""What the functions around the registry have in common: the table, and the right to end certificates."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.function import Function
from infra.names import Names


def registry_function(
    scope: Construct,
    names: Names,
    *,
    duty: str,
    package: str,
    description: str,
    table_actions: list[str],
    timeout: Duration,
    statements: Sequence[iam.PolicyStatement] = (),
    modules: Sequence[str] = (),
) -> Function:
    """A function whose handler is `infra/identity/<package>/handler.py`; `modules` are what that imports."""
    return Function(
        scope,
        duty,
        names=names,
        description=description,
        handler=f"infra.identity.{package}.handler.handle",
        sources=[f"infra/identity/{package}/handler.py", *modules],
        statements=[
            iam.PolicyStatement(actions=table_actions, resources=[names.table_arn(names.registry_table)]),
            *statements,
        ],
        environment={
            "REGISTRY_TABLE": names.registry_table,
            "FLEET": names.fleet,
            "ACCOUNT": names.account,
        },
        timeout=timeout,
    )


def retirement(names: Names) -> list[iam.PolicyStatement]:
    """The rights of `infra.identity.certificates.Retirement`."""
    return [
        iam.PolicyStatement(
            sid="EndCertificates",
            actions=["iot:UpdateCertificate", "iot:DetachPolicy", "iot:DeleteCertificate"],
            resources=[_certificates(names)],
        ),
        iam.PolicyStatement(
            sid="FreeThings",
            actions=["iot:DetachThingPrincipal"],
            resources=[_certificates(names), _things(names)],
        ),
    ]


def acknowledge_retirement(function: Function, names: Names) -> None:
    acknowledge(
        function,
        "Certificates have ids of AWS's making; the function ends those that the registry's rows name.",
        f"AwsSolutions-IAM5[Resource::{_certificates(names)}]",
        f"AwsSolutions-IAM5[Resource::{_things(names)}]",
    )


def _certificates(names: Names) -> str:
    return names.arn("iot", "cert/*")


def _things(names: Names) -> str:
    return names.thing_arn(f"{names.prefix}*")
