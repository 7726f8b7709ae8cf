"""DynamoDB: every sale under its till's key, and what is added up from them."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.names import Names

RECOVERABLE = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)


class Tables(Construct):
    def __init__(self, scope: Construct, names: Names, *, keep_sales: bool) -> None:
        super().__init__(scope, "Tables")
        self.sales = _table(
            self, "Sales", names.sales_table, RemovalPolicy.RETAIN if keep_sales else RemovalPolicy.DESTROY
        )
        self.sales.add_global_secondary_index(
            index_name="by-store-date",
            partition_key=_text("store_date"),
            sort_key=_text("sk"),
        )
        self.rollups = _table(self, "Rollups", names.rollups_table, RemovalPolicy.DESTROY)


def _table(scope: Construct, construct_id: str, name: str, removal: RemovalPolicy) -> dynamodb.Table:
    return dynamodb.Table(
        scope,
        construct_id,
        table_name=name,
        partition_key=_text("pk"),
        sort_key=_text("sk"),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=RECOVERABLE,
        removal_policy=removal,
    )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
