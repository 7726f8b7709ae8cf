"""S3: the segments that tills write, and the artifacts that they install; emptied when the stack goes."""

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.function import Function
from infra.names import Names

ATHENA_PREFIX = "athena/"


class Buckets(Construct):
    def __init__(self, scope: Construct, names: Names, *, keep_sales: bool) -> None:
        super().__init__(scope, "Buckets")
        results = s3.LifecycleRule(id="query-results", prefix=ATHENA_PREFIX, expiration=Duration.days(30))
        self.sales = _bucket(self, "Sales", names.sales_bucket, keep=keep_sales, rules=[results])
        self.artifacts = _bucket(self, "Artifacts", names.artifact_bucket, keep=False, rules=[])
        emptied = [names.artifact_bucket] if keep_sales else [names.sales_bucket, names.artifact_bucket]
        self._empty_on_delete(names, emptied)

    def _empty_on_delete(self, names: Names, buckets: list[str]) -> None:
        """CloudFormation deletes only empty buckets; this resource goes before them and empties them."""
        arns = [f"arn:aws:s3:::{bucket}" for bucket in buckets]
        emptier = Function(
            self,
            "emptier",
            names=names,
            description="Empties the fleet's buckets when the Storage stack is deleted",
            handler="infra.storage.emptier.handler.handle",
            sources=["infra/storage/emptier/handler.py", "infra/custom_resource.py"],
            statements=[
                iam.PolicyStatement(
                    actions=["s3:ListBucketVersions", "s3:ListBucketMultipartUploads"], resources=arns
                ),
                iam.PolicyStatement(
                    actions=["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"],
                    resources=[f"{arn}/*" for arn in arns],
                ),
            ],
        )
        resource = CustomResource(
            self,
            "Emptied",
            resource_type="Custom::EmptiedBuckets",
            service_token=emptier.function.function_arn,
            properties={"Buckets": buckets},
        )
        resource.node.add_dependency(self.sales, self.artifacts)
        acknowledge(
            emptier,
            "It deletes whatever lies in the two buckets of this stack, and nothing else.",
            *(f"AwsSolutions-IAM5[Resource::{arn}/*]" for arn in arns),
        )


def _bucket(
    scope: Construct, construct_id: str, name: str, *, keep: bool, rules: list[s3.LifecycleRule]
) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        construct_id,
        bucket_name=name,
        versioned=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="replaced-and-unfinished",
                noncurrent_version_expiration=Duration.days(90),
                abort_incomplete_multipart_upload_after=Duration.days(7),
                expired_object_delete_marker=True,
            ),
            *rules,
        ],
    )
    acknowledge(
        bucket,
        "Access logs need a bucket that outlives the fleet; CloudTrail data events serve an account that "
        "wants them.",
        "AwsSolutions-S1",
    )
    return bucket
