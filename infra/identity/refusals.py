"""An alarm for who tries again and again to provision without being expected."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.function import Function
from infra.names import Names

METRIC = "RefusedProvisioning"
REPEATED = 3
WITHIN = Duration.minutes(15)


class Refusals(Construct):
    """Counts what the hook logs as refused; three within a quarter of an hour are an alarm.

    One refusal is a technician with an old kit. A till that was refused goes on trying by itself, and so
    does who guesses serials.
    """

    def __init__(self, scope: Construct, names: Names, hook: Function) -> None:
        super().__init__(scope, "Refusals")
        logs.MetricFilter(
            self,
            "Filter",
            filter_name=names.alarm("refused-provisioning"),
            log_group=hook.log_group,
            filter_pattern=logs.FilterPattern.string_value("$.outcome", "=", "refused"),
            metric_namespace=names.metrics,
            metric_name=METRIC,
            metric_value="1",
            default_value=0,
        )
        cloudwatch.CfnAlarm(
            self,
            "Alarm",
            alarm_name=names.alarm("refused-provisioning"),
            alarm_description="Provisioning was refused repeatedly: look for refusals in greentill till "
            f"status, and for reasons in the log group {names.log_group('provisioning-hook')}",
            namespace=names.metrics,
            metric_name=METRIC,
            statistic="Sum",
            period=int(WITHIN.to_seconds()),
            evaluation_periods=1,
            threshold=REPEATED,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
