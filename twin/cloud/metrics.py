"""Metric filters: what a log group's filters find in its events becomes data that alarms look at."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs

from twin.cloud.context import Document, scope
from twin.cloud.settings import Settings

LOGGER = logging.getLogger("twin.metrics")
EQUALS = re.compile(r'\{\s*\$\.(?P<field>[\w.]+)\s*=\s*"(?P<value>[^"]*)"\s*\}')


def install(settings: Settings) -> None:
    """The emulator keeps metric filters but never applies them."""
    forward = cloudwatch_logs._fanout_to_subscription_filters

    def count_and_forward(group: str, stream: str, events: list[Document]) -> None:
        with scope(settings):
            filters = [one for (name, _), one in cloudwatch_logs._metric_filters.items() if name == group]
            for each in filters:
                for event in events:
                    _count(each, str(event.get("message", "")))
            if filters:
                cloudwatch._evaluate_all_alarms()
        forward(group, stream, events)

    cloudwatch_logs._fanout_to_subscription_filters = count_and_forward


def _count(found: Document, message: str) -> None:
    matched = matches(str(found["filterPattern"]), message)
    for metric in found["metricTransformations"]:
        value = metric["metricValue"] if matched else metric.get("defaultValue")
        if value is not None:
            cloudwatch._store_datum(
                metric["metricNamespace"],
                metric["metricName"],
                {},
                time.time(),
                metric.get("unit", "None"),
                float(value),
                None,
                None,
                None,
            )


def matches(pattern: str, message: str) -> bool:
    """Whether a pattern finds a message: `{ $.field = "text" }` or the empty one; others find nothing."""
    if not pattern.strip():
        return True
    wanted = EQUALS.fullmatch(pattern.strip())
    if not wanted:
        LOGGER.warning("The twin does not know the filter pattern %s: nothing is counted.", pattern)
        return False
    try:
        found: Any = json.loads(message)
    except ValueError:
        return False
    for name in wanted["field"].split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return bool(found == wanted["value"])
