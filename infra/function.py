"""A Lambda function with a role and a log group of its own, and no right beyond what it is given."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.lambda_code import staged
from infra.names import Names


class Function(Construct):
    """`duty` names function, role and log group.

    It may not create log groups: one made by a late invocation would outlive a destroy.
    """

    def __init__(
        self,
        scope: Construct,
        duty: str,
        *,
        names: Names,
        description: str,
        handler: str,
        sources: Sequence[str],
        statements: Sequence[iam.PolicyStatement],
        environment: Mapping[str, str] | None = None,
        timeout: Duration | None = None,
        memory_mb: int = 256,
    ) -> None:
        super().__init__(scope, duty.title().replace("-", ""))
        self._names = names
        self.name = names.function(duty)
        self.arn = names.arn("lambda", f"function:{self.name}")
        self.log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=names.log_group(duty),
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        streams = names.arn("logs", f"log-group:{names.log_group(duty)}:log-stream:*")
        own_log = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[streams],
        )
        self.role = iam.Role(
            self,
            "Role",
            role_name=self.name,
            description=description,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"duty": iam.PolicyDocument(statements=[own_log, *statements])},
        )
        acknowledge(
            self.role,
            "Lambda names the streams of the function's own log group.",
            f"AwsSolutions-IAM5[Resource::{streams}]",
        )
        with staged(sources) as folder:
            self.function = lambda_.Function(
                self,
                "Function",
                function_name=self.name,
                description=description,
                runtime=lambda_.Runtime.PYTHON_3_14,
                architecture=lambda_.Architecture.ARM_64,
                handler=handler,
                code=lambda_.Code.from_asset(folder),
                role=self.role,
                log_group=self.log_group,
                environment=dict(environment or {}),
                timeout=timeout or Duration.minutes(15),
                memory_size=memory_mb,
            )

    def admit(self, service: str, source_arn: str) -> lambda_.CfnPermission:
        """Let one resource of an AWS service call this function, and nothing else; `service` as in "iot"."""
        return lambda_.CfnPermission(
            self,
            f"CalledBy{service.title()}",
            action="lambda:InvokeFunction",
            function_name=self.function.function_arn,
            principal=f"{service}.amazonaws.com",
            source_account=self._names.account,
            source_arn=source_arn,
        )
