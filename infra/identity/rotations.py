"""New certificates for tills: the function that signs them, what calls it, and its rights."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.identity.functions import acknowledge_retirement, registry_function, retirement
from infra.identity.listening import listen
from infra.identity.rotation.shadow import SHADOW
from infra.names import Names
from infra.schedule import Schedule

MODULES = ("due", "issuing", "keys", "mending", "orders", "shadow", "signing", "unrecorded")


class Rotations(Construct):
    """`rotate_after_days` None: only a certificate that expires soon is replaced unasked."""

    def __init__(
        self, scope: Construct, names: Names, stages: Sequence[str], rotate_after_days: int | None
    ) -> None:
        super().__init__(scope, "Rotations")
        package = "infra/identity/rotation"
        function = registry_function(
            self,
            names,
            duty="rotation",
            package="rotation",
            description="Signs and retires tills' certificates, and orders new ones before they expire",
            table_actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            statements=[*retirement(names), *_statements(names)],
            modules=[
                *(f"{package}/{module}.py" for module in MODULES),
                "infra/identity/certificates.py",
                "infra/identity/rows.py",
                "infra/identity/troubles.py",
                "infra/errors.py",
                "infra/names.py",
            ],
            timeout=Duration.minutes(5),
        )
        function.function.add_environment("STAGES", ",".join(stages))
        if rotate_after_days is not None:
            function.function.add_environment("ROTATE_AFTER_DAYS", str(rotate_after_days))
        acknowledge_retirement(function, names)
        acknowledge(
            function,
            "AWS IoT names no resource for a certificate yet to be made, and none for their list.",
            "AwsSolutions-IAM5[Resource::*]",
        )
        listen(
            self,
            names,
            function,
            rule="rotation",
            description="A till has said how far its new certificate is",
            sql=reported(names),
        )
        Schedule(self, names, function, Duration.days(1))


def reported(names: Names) -> str:
    """Rule SQL: what the fleet's things report in their certificate's shadow; the topic says who."""
    topic = f"$aws/things/+/shadow/name/{SHADOW}/update/accepted"
    condition = f"startswith(topic(3), '{names.prefix}') AND state.reported.state <> ''"
    return f"SELECT topic(3) AS thing, state.reported AS reported FROM '{topic}' WHERE {condition}"  # noqa: S608 - IoT SQL


def _statements(names: Names) -> list[iam.PolicyStatement]:
    certificates, things = names.arn("iot", "cert/*"), names.thing_arn(f"{names.prefix}*")
    return [
        iam.PolicyStatement(
            sid="Sign", actions=["iot:CreateCertificateFromCsr", "iot:ListCertificates"], resources=["*"]
        ),
        iam.PolicyStatement(
            sid="Equip",
            actions=["iot:AttachPolicy", "iot:DescribeCertificate"],
            resources=[certificates],
        ),
        iam.PolicyStatement(
            sid="BelongToThings",
            actions=["iot:AttachThingPrincipal"],
            resources=[certificates, things],
        ),
        iam.PolicyStatement(
            sid="TellTills",
            actions=["iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow"],
            resources=[things],
        ),
        iam.PolicyStatement(
            sid="FindDue",
            actions=["dynamodb:Query"],
            resources=[f"{names.table_arn(names.registry_table)}/index/by-stage"],
        ),
    ]
