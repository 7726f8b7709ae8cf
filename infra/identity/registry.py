"""The registry: a row per till, which says where it belongs and whether its claim still admits it."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.names import Names


class Registry(Construct):
    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, "Registry")
        thing = dynamodb.Attribute(name="thing", type=dynamodb.AttributeType.STRING)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=names.registry_table,
            partition_key=thing,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.table.add_global_secondary_index(
            index_name="by-stage",
            partition_key=dynamodb.Attribute(name="stage", type=dynamodb.AttributeType.STRING),
            sort_key=thing,
        )
        # Rows leave this index when their claim's certificate is gone, so it stays as small as what is open.
        self.table.add_global_secondary_index(
            index_name="by-claim",
            partition_key=dynamodb.Attribute(name="claim_state", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="claim_expires_at", type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["claim_certificate_id"],
        )
