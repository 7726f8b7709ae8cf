"""Logs become metrics, metrics move alarms, and schedules call functions: what the fleet is watched with."""

from __future__ import annotations

import json
import time
import uuid

import pytest

pytestmark = pytest.mark.twin


@pytest.fixture
def group(cloud):
    name = f"/test/{uuid.uuid4().hex}"
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def log(cloud, group, *messages):
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": each} for each in messages]
    cloud.client("logs").put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def test_an_alarm_hears_what_a_metric_filter_finds_in_a_log(cloud, group):
    logs, cloudwatch = cloud.client("logs"), cloud.client("cloudwatch")
    name = group.rpartition("/")[2]
    metric = {"metricNamespace": name, "metricName": "Refused", "metricValue": "1"}
    pattern = '{ $.outcome = "refused" }'
    logs.put_metric_filter(
        logGroupName=group, filterName=name, filterPattern=pattern, metricTransformations=[metric]
    )
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=name,
        MetricName="Refused",
        Statistic="Sum",
        Period=900,
        EvaluationPeriods=1,
        Threshold=2,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )

    def state():
        return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]

    log(cloud, group, json.dumps({"outcome": "refused"}), json.dumps({"outcome": "admitted"}), "refused")
    assert state() == "OK"
    log(cloud, group, json.dumps({"outcome": "refused"}))
    assert state() == "ALARM"


@pytest.mark.slow
def test_a_schedule_sends_by_the_clock(cloud):
    """A minute is the shortest rate that EventBridge knows."""
    events, sqs = cloud.client("events"), cloud.client("sqs")
    name = f"clock-{uuid.uuid4().hex}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, ScheduleExpression="rate(1 minute)", State="ENABLED")
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    try:
        found = next(
            (
                answer["Messages"][0]
                for _ in range(12)
                if "Messages" in (answer := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
            ),
            None,
        )
        assert found is not None
        assert json.loads(found["Body"])["detail-type"] == "Scheduled Event"
    finally:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)
