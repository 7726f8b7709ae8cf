"""Core devices as their health messages describe them, and what each of them runs."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from ministack.services import iot

from twin.cloud.context import Document, not_found, scope
from twin.cloud.greengrass.deployments import Deployment, Deployments
from twin.cloud.settings import Settings

HEALTH_TOPIC = re.compile(r"\$aws/things/([^/]+)/greengrassv2/health/json")


class CoreDevices:
    """A core device exists from its first health message until it is deleted."""

    def __init__(self, settings: Settings, deployments: Deployments) -> None:
        self._settings = settings
        self._deployments = deployments
        self._devices: dict[str, Document] = {}
        self._installed: dict[str, dict[str, Document]] = {}

    def hear(self, topic: str, payload: bytes) -> None:
        """Take in a message that may be a core's health; others, and ones that are no JSON map, are not."""
        found = HEALTH_TOPIC.fullmatch(topic)
        if not found:
            return
        try:
            message = json.loads(payload)
        except ValueError:
            return
        if isinstance(message, dict):
            self._record(found[1], message)

    def get(self, thing: str) -> Document:
        if thing not in self._devices:
            raise not_found(
                f"Core device {thing} does not exist.", resourceId=thing, resourceType="coreDevice"
            )
        return self._devices[thing]

    def listed(self, group_arn: str | None, status: str | None) -> list[Document]:
        members = None
        if group_arn:
            with scope(self._settings):
                group = iot._thing_groups.get(group_arn.rpartition("/")[2]) or {}
            members = set(group.get("things", []))
        return [
            device
            for name, device in sorted(self._devices.items())
            if (members is None or name in members) and (status is None or device["status"] == status)
        ]

    def installed(self, thing: str, *, roots_only: bool) -> list[Document]:
        self.get(thing)
        return [each for each in self._installed[thing].values() if each["isRoot"] or not roots_only]

    def delete(self, thing: str) -> None:
        """The device is forgotten; its thing stays."""
        self.get(thing)
        del self._devices[thing], self._installed[thing]

    def effective(self, thing: str) -> list[Document]:
        """The deployments that reached this core, newest first, with how each went."""
        found = []
        with scope(self._settings):
            executions = [each for (name, _job), each in iot._job_executions.items() if name == thing]
        for execution in executions:
            deployment = self._deployments.of_job(execution["jobId"])
            if deployment:
                found.append(self._effective(deployment, execution))
        return sorted(found, key=lambda each: each["creationTimestamp"], reverse=True)

    def _effective(self, deployment: Deployment, execution: Document) -> Document:
        status = execution["status"]
        if status == "SUCCEEDED" and not deployment.for_group:
            status = "COMPLETED"
        details = execution.get("statusDetails") or {}
        found: Document = {
            "deploymentId": deployment.id,
            "deploymentName": deployment.name,
            "iotJobId": deployment.job_id,
            "iotJobArn": self._deployments.job_arn(deployment),
            "targetArn": deployment.target,
            "coreDeviceExecutionStatus": status,
            "creationTimestamp": deployment.created_at,
            "modifiedTimestamp": execution["lastUpdatedAt"] / 1000,
        }
        reason = details.get("deployment-failure-cause") or details.get("reason")
        if reason:
            found["reason"] = reason
        if details:
            found["statusDetails"] = {
                "errorStack": _list(details.get("deployment-error-stack")),
                "errorTypes": _list(details.get("deployment-error-types")),
            }
        return found

    def _record(self, thing: str, message: Document) -> None:
        now = time.time()
        before = self._devices.get(thing, {})
        self._devices[thing] = {
            "coreDeviceThingName": thing,
            "coreVersion": str(
                message.get("ggcVersion") or message.get("version") or before.get("coreVersion", "")
            ),
            "platform": str(message.get("platform") or before.get("platform", "")),
            "architecture": str(message.get("architecture") or before.get("architecture", "")),
            "runtime": str(message.get("runtime") or before.get("runtime", "")),
            "status": "HEALTHY" if message.get("overallDeviceStatus") == "HEALTHY" else "UNHEALTHY",
            "lastStatusUpdateTimestamp": now,
            "tags": before.get("tags", {}),
        }
        complete = message.get("messageType") != "PARTIAL"
        installed = {} if complete else dict(self._installed.get(thing, {}))
        for component in message.get("components") or []:
            installed[component["componentName"]] = _installed(component, now)
        self._installed[thing] = installed


def _installed(component: dict[str, Any], now: float) -> Document:
    return {
        "componentName": component["componentName"],
        "componentVersion": component.get("version", ""),
        "lifecycleState": component.get("status", "NEW"),
        "lifecycleStateDetails": component.get("statusDetails") or "",
        "isRoot": bool(component.get("isRoot")),
        "lastStatusChangeTimestamp": now,
        "lastReportedTimestamp": now,
    }


def _list(text: str | None) -> list[str]:
    if not text:
        return []
    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]
