"""Answering CloudFormation from a function that stands behind a custom resource."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]

# CloudFormation's own limit on an answer is 4,096 bytes.
LONGEST_REASON = 2_000


def answered(event: Event, physical_id: str, duty: Callable[[], Mapping[str, str] | None]) -> None:
    """Do `duty` and tell CloudFormation how it went; what it returns are the resource's attributes."""
    try:
        data = duty()
    except Exception as error:  # noqa: BLE001 - unanswered, CloudFormation would wait for an hour and say nothing
        print(f"FAILED {type(error).__name__}: {error}")  # noqa: T201 - a function's log is its standard output
        answer(event, physical_id, "FAILED", reason=str(error) or type(error).__name__)
    else:
        answer(event, physical_id, "SUCCESS", data=data)


def answer(
    event: Event,
    physical_id: str,
    status: str,
    *,
    reason: str = "",
    data: Mapping[str, str] | None = None,
) -> None:
    """Send one answer. `physical_id` never changes in a resource's life, so an update replaces nothing."""
    body = {
        "Status": status,
        "Reason": reason[:LONGEST_REASON],
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": dict(data or {}),
    }
    request = urllib.request.Request(  # noqa: S310 - the address comes from CloudFormation
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - see above
        pass
