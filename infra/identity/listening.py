"""An IoT rule that calls a function, and the function's leave to be called by that rule alone."""

from aws_cdk import aws_iot as iot
from constructs import Construct

from infra.function import Function
from infra.names import Names


def listen(
    scope: Construct, names: Names, function: Function, *, rule: str, description: str, sql: str
) -> None:
    """`rule` is its duty, which names it."""
    action = iot.CfnTopicRule.LambdaActionProperty(function_arn=function.function.function_arn)
    made = iot.CfnTopicRule(
        scope,
        "Rule",
        rule_name=names.rule(rule),
        topic_rule_payload=iot.CfnTopicRule.TopicRulePayloadProperty(
            description=description,
            aws_iot_sql_version="2016-03-23",
            sql=sql,
            rule_disabled=False,
            actions=[iot.CfnTopicRule.ActionProperty(lambda_=action)],
        ),
    )
    function.admit("iot", names.arn("iot", f"rule/{made.rule_name}"))
