"""The role whose credentials a till gets for its certificate, and the alias it asks for."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.names import Names

# Put in by the credentials provider, from the certificate's thing: a till can't choose it.
THING = "${credentials-iot:ThingName}"
SECONDS = 3600

# Ten characters and no other: `date=*` would let a till write a path that lies below another till's.
ANY_DATE = "????-??-??"


class TokenExchange(Construct):
    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, "TokenExchange")
        role = iam.Role(
            self,
            "Role",
            role_name=names.token_exchange_role,
            description="What a till may do with AWS, under its own keys only",
            assumed_by=iam.ServicePrincipal("credentials.iot.amazonaws.com"),
            inline_policies={"till": iam.PolicyDocument(statements=statements(names))},
        )
        iot.CfnRoleAlias(
            self,
            "Alias",
            role_alias=names.role_alias,
            role_arn=role.role_arn,
            credential_duration_seconds=SECONDS,
        )
        segments = f"Resource::arn:aws:s3:::{names.sales_bucket}/sales/date={ANY_DATE}/till={THING}/*"
        acknowledge(
            role,
            "Each wildcard lies behind the till's own name, or is artifacts and catalogues, for all.",
            f"AwsSolutions-IAM5[{segments}]",
            f"AwsSolutions-IAM5[Resource::{_own_outbox(names)}]",
            f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{names.artifact_bucket}/components/*]",
            f"AwsSolutions-IAM5[Resource::{_catalogues(names)}]",
            f"AwsSolutions-IAM5[Resource::{_own_streams(names)}]",
        )


def statements(names: Names) -> list[iam.PolicyStatement]:
    """A till's rights. Its name is a key of every one that could touch another till's data."""
    own_keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [THING]}}
    return [
        iam.PolicyStatement(
            sid="OwnSales",
            actions=[
                "dynamodb:BatchWriteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            resources=[names.table_arn(names.sales_table)],
            conditions=own_keys,
        ),
        iam.PolicyStatement(
            sid="OwnRollups",
            actions=["dynamodb:PutItem"],
            resources=[names.table_arn(names.rollups_table)],
            conditions=own_keys,
        ),
        iam.PolicyStatement(
            sid="OwnRegistryRow",
            actions=["dynamodb:GetItem"],
            resources=[names.table_arn(names.registry_table)],
            conditions=own_keys,
        ),
        iam.PolicyStatement(
            sid="OwnSegments",
            actions=["s3:GetObject", "s3:PutObject"],
            resources=[f"arn:aws:s3:::{names.sales_bucket}/sales/date={ANY_DATE}/till={THING}/*"],
        ),
        iam.PolicyStatement(
            sid="OwnOutbox",
            actions=["s3:PutObject"],
            resources=[_own_outbox(names)],
        ),
        iam.PolicyStatement(
            sid="FindOwnSegments",
            actions=["s3:ListBucket"],
            resources=[f"arn:aws:s3:::{names.sales_bucket}"],
            conditions={"StringLike": {"s3:prefix": f"sales/date={ANY_DATE}/till={THING}/*"}},
        ),
        iam.PolicyStatement(
            sid="Artifacts",
            actions=["s3:GetObject"],
            resources=[f"arn:aws:s3:::{names.artifact_bucket}/components/*"],
        ),
        iam.PolicyStatement(
            sid="Catalogues",
            actions=["s3:GetObject"],
            resources=[_catalogues(names)],
        ),
        iam.PolicyStatement(
            sid="ArtifactsRegion",
            actions=["s3:GetBucketLocation"],
            resources=[f"arn:aws:s3:::{names.artifact_bucket}"],
        ),
        iam.PolicyStatement(
            sid="OwnLogs",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[_own_streams(names)],
        ),
    ]


def _catalogues(names: Names) -> str:
    """Every store's: a session knows its thing, but nothing of the store that the thing stands in."""
    return f"arn:aws:s3:::{names.artifact_bucket}/catalogue/*"


def _own_outbox(names: Names) -> str:
    """What components other than the ledger's leave for head office."""
    return f"arn:aws:s3:::{names.sales_bucket}/outbox/till={THING}/*"


def _own_streams(names: Names) -> str:
    return names.arn("logs", f"log-group:{names.till_log_group}:log-stream:{THING}/*")
