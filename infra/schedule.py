"""Calls a function at fixed intervals."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from infra.function import Function
from infra.names import Names


class Schedule(Construct):
    """An EventBridge rule of the function's own name, and its right to call that function and no other.

    The first call comes `every` after the deploy. A call may come twice: what is called must not mind.
    """

    def __init__(self, scope: Construct, names: Names, function: Function, every: Duration) -> None:
        super().__init__(scope, f"{function.node.id}Schedule")
        rule = events.CfnRule(
            self,
            "Rule",
            name=function.name,
            description=f"Calls {function.name} every {every.to_human_string()}",
            schedule_expression=events.Schedule.rate(every).expression_string,
            state="ENABLED",
            targets=[events.CfnRule.TargetProperty(id="function", arn=function.function.function_arn)],
        )
        permission = function.admit("events", names.arn("events", f"rule/{function.name}"))
        permission.node.add_dependency(rule)
