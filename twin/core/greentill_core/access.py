"""Authorization of IPC calls by the recipe's accessControl, as the nucleus's documentation describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PUBSUB = "aws.greengrass.ipc.pubsub"
MQTT_PROXY = "aws.greengrass.ipc.mqttproxy"


def allowed(configuration: Mapping[str, Any], service: str, operation: str, resource: str) -> bool:
    """Whether a policy of `service` lets the component call `operation` (with its prefix) on `resource`."""
    policies = _object(_object(configuration.get("accessControl")).get(service))
    return any(_permits(_object(policy), operation, resource) for policy in policies.values())


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}  # classic skips what is malformed


def _permits(policy: Mapping[str, Any], operation: str, resource: str) -> bool:
    operations = policy.get("operations") or []
    resources = policy.get("resources") or []
    return any(entry in ("*", operation) for entry in operations) and any(
        _covers(str(pattern), resource) for pattern in resources
    )


def _covers(pattern: str, resource: str) -> bool:
    """`*` stands for any characters; otherwise the MQTT wildcards."""
    return glob(pattern, resource) or topic_matches(pattern, resource)


def glob(pattern: str, text: str) -> bool:
    """Whether `text` matches, where `*` stands for any characters."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def topic_matches(topic_filter: str, topic: str) -> bool:
    """MQTT's rule: `+` is one level, `#` the rest; neither reaches topics that start with $."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(given) or level not in ("+", given[position]):
            return False
    return len(wanted) == len(given)
