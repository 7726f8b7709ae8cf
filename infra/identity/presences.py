"""Who is connected: a rule over all connections of the fleet's tills, and the function that notes them."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.identity.functions import registry_function
from infra.identity.listening import listen
from infra.names import Names


class Presences(Construct):
    """Apart from what closes claims: this is called far more often, and may do far less."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, "Presences")
        certificates = names.arn("iot", "cert/*")
        function = registry_function(
            self,
            names,
            duty="presence",
            package="presence",
            description="Notes in the registry which tills are connected",
            table_actions=["dynamodb:UpdateItem"],
            statements=[
                iam.PolicyStatement(actions=["iot:DescribeCertificate"], resources=[certificates]),
            ],
            timeout=Duration.seconds(30),
        )
        acknowledge(
            function,
            "Certificates have ids of AWS's making; it reads the dates of the one a till connected with.",
            f"AwsSolutions-IAM5[Resource::{certificates}]",
        )
        listen(
            self,
            names,
            function,
            rule="presence",
            description="A till of this fleet has connected or disconnected",
            sql=presence(names),
        )


def presence(names: Names) -> str:
    """Rule SQL over connections and disconnections of the fleet's things."""
    condition = f"startswith(clientId, '{names.prefix}')"
    return f"SELECT * FROM '$aws/events/presence/+/+' WHERE {condition}"  # noqa: S608 - IoT SQL
