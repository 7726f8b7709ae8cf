"""The control plane: boto3's `greengrassv2` calls, answered from components, deployments and devices."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from twin.cloud.context import Answer, ApiError, Document, not_found, ok
from twin.cloud.greengrass.components import Components, ComponentVersion
from twin.cloud.greengrass.deployments import Deployment, Deployments
from twin.cloud.greengrass.devices import CoreDevices
from twin.cloud.rest import Router
from twin.cloud.settings import Settings

CREATED = {"CreateComponentVersion", "CreateDeployment"}
EMPTY = {"DeleteComponent", "DeleteDeployment", "DeleteCoreDevice"}


class Greengrass:
    """One method per operation, named as in the API; a missing one is a 501, never a silent success."""

    def __init__(
        self, settings: Settings, components: Components, deployments: Deployments, devices: CoreDevices
    ) -> None:
        self._settings = settings
        self._components = components
        self._deployments = deployments
        self._devices = devices
        self._router = Router("greengrassv2")

    async def handle(
        self, method: str, path: str, _headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        """The emulator's handler signature."""
        try:
            operation, members = self._router.match(method, path, query, body)
            document = self._call(operation)(members)
        except ApiError as error:
            return error.answer()
        if operation in EMPTY:
            return 204, {}, b""
        return ok(document, 201 if operation in CREATED else 200)

    def _call(self, operation: str) -> Callable[[Document], Document]:
        call: Callable[[Document], Document] | None = getattr(self, operation, None)
        if call is None:
            raise ApiError("NotImplementedException", f"The twin's cloud has no {operation}.", 501)
        return call

    def CreateComponentVersion(self, members: Document) -> Document:  # noqa: N802 - the API's name
        if "inlineRecipe" not in members:
            raise ApiError("ValidationException", "Only an inlineRecipe makes a component here.")
        raw = base64.b64decode(members["inlineRecipe"])
        component = self._components.create(raw, members.get("tags"))
        return {
            "arn": component.arn,
            "componentName": component.name,
            "componentVersion": component.version,
            "creationTimestamp": component.created_at,
            "status": {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}},
        }

    def DescribeComponent(self, members: Document) -> Document:  # noqa: N802 - the API's name
        component = self._components.get(members["arn"])
        return {
            "arn": component.arn,
            "componentName": component.name,
            "componentVersion": component.version,
            "creationTimestamp": component.created_at,
            "publisher": component.recipe.get("ComponentPublisher", ""),
            "description": component.recipe.get("ComponentDescription", ""),
            "status": {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}},
            "platforms": _platforms(component),
            "tags": component.tags,
        }

    def GetComponent(self, members: Document) -> Document:  # noqa: N802 - the API's name
        component = self._components.get(members["arn"])
        recipe = json.dumps(component.recipe).encode()
        return {
            "recipeOutputFormat": "JSON",
            "recipe": base64.b64encode(recipe).decode(),
            "tags": component.tags,
        }

    def ListComponents(self, members: Document) -> Document:  # noqa: N802 - the API's name
        found = self._components.listed(of_aws=members.get("scope") == "PUBLIC")
        listed = [
            {
                "arn": each[0].component_arn,
                "componentName": each[0].name,
                "latestVersion": {
                    "arn": each[0].arn,
                    "componentVersion": each[0].version,
                    "creationTimestamp": each[0].created_at,
                    "description": each[0].recipe.get("ComponentDescription", ""),
                    "publisher": each[0].recipe.get("ComponentPublisher", ""),
                    "platforms": _platforms(each[0]),
                },
            }
            for each in found
        ]
        return _page("components", listed, members)

    def ListComponentVersions(self, members: Document) -> Document:  # noqa: N802 - the API's name
        name = members["arn"].split(":components:")[-1]
        listed = [
            {"arn": each.arn, "componentName": each.name, "componentVersion": each.version}
            for each in self._components.named(name)
            if each.component_arn == members["arn"]
        ]
        if not listed:
            raise not_found(f"Component {members['arn']} does not exist.", resourceId=members["arn"])
        return _page("componentVersions", listed, members)

    def DeleteComponent(self, members: Document) -> Document:  # noqa: N802 - the API's name
        self._components.delete(members["arn"])
        return {}

    def CreateDeployment(self, members: Document) -> Document:  # noqa: N802 - the API's name
        deployment = self._deployments.create(members)
        return {
            "deploymentId": deployment.id,
            "iotJobId": deployment.job_id,
            "iotJobArn": self._deployments.job_arn(deployment),
        }

    def GetDeployment(self, members: Document) -> Document:  # noqa: N802 - the API's name
        deployment = self._deployments.get(members["deploymentId"])
        kept = ("components", "deploymentPolicies", "iotJobConfiguration")
        return {
            **self._summary(deployment),
            **{name: deployment.request[name] for name in kept if deployment.request.get(name)},
            "iotJobId": deployment.job_id,
            "iotJobArn": self._deployments.job_arn(deployment),
            "tags": deployment.tags,
        }

    def ListDeployments(self, members: Document) -> Document:  # noqa: N802 - the API's name
        target, parent = members.get("targetArn"), members.get("parentTargetArn")
        latest_only = members.get("historyFilter", "LATEST_ONLY") == "LATEST_ONLY"
        listed = [
            self._summary(each)
            for each in self._deployments.all()
            if (not target or each.target == target)
            and (not parent or each.request.get("parentTargetArn") == parent)
            and (not latest_only or self._deployments.latest(each.target) is each)
        ]
        return _page("deployments", listed, members)

    def CancelDeployment(self, members: Document) -> Document:  # noqa: N802 - the API's name
        return {"message": self._deployments.cancel(members["deploymentId"])}

    def DeleteDeployment(self, members: Document) -> Document:  # noqa: N802 - the API's name
        self._deployments.delete(members["deploymentId"])
        return {}

    def ListCoreDevices(self, members: Document) -> Document:  # noqa: N802 - the API's name
        kept = (
            "coreDeviceThingName",
            "status",
            "lastStatusUpdateTimestamp",
            "platform",
            "architecture",
            "runtime",
        )
        devices = self._devices.listed(members.get("thingGroupArn"), members.get("status"))
        return _page("coreDevices", [{name: each[name] for name in kept} for each in devices], members)

    def GetCoreDevice(self, members: Document) -> Document:  # noqa: N802 - the API's name
        return self._devices.get(members["coreDeviceThingName"])

    def DeleteCoreDevice(self, members: Document) -> Document:  # noqa: N802 - the API's name
        self._devices.delete(members["coreDeviceThingName"])
        return {}

    def ListEffectiveDeployments(self, members: Document) -> Document:  # noqa: N802 - the API's name
        listed = self._devices.effective(members["coreDeviceThingName"])
        return _page("effectiveDeployments", listed, members)

    def ListInstalledComponents(self, members: Document) -> Document:  # noqa: N802 - the API's name
        roots_only = members.get("topologyFilter", "ROOT") == "ROOT"
        listed = self._devices.installed(members["coreDeviceThingName"], roots_only=roots_only)
        return _page("installedComponents", listed, members)

    def TagResource(self, members: Document) -> Document:  # noqa: N802 - the API's name
        self._tags(members["resourceArn"]).update(members["tags"])
        return {}

    def UntagResource(self, members: Document) -> Document:  # noqa: N802 - the API's name
        tags = self._tags(members["resourceArn"])
        for name in members["tagKeys"]:
            tags.pop(name, None)
        return {}

    def ListTagsForResource(self, members: Document) -> Document:  # noqa: N802 - the API's name
        return {"tags": self._tags(members["resourceArn"])}

    def _tags(self, arn: str) -> dict[str, str]:
        kind, _, name = arn.split(":", 5)[5].partition(":")
        if kind == "components":
            return self._components.get(arn).tags
        if kind == "deployments":
            return self._deployments.get(name).tags
        tags: dict[str, str] = self._devices.get(name)["tags"]
        return tags

    def _summary(self, deployment: Deployment) -> Document:
        summary = {
            "targetArn": deployment.target,
            "revisionId": str(deployment.revision),
            "deploymentId": deployment.id,
            "deploymentName": deployment.name,
            "creationTimestamp": deployment.created_at,
            "deploymentStatus": self._deployments.status(deployment),
            "isLatestForTarget": self._deployments.latest(deployment.target) is deployment,
        }
        if deployment.request.get("parentTargetArn"):
            summary["parentTargetArn"] = deployment.request["parentTargetArn"]
        return summary


def _platforms(component: ComponentVersion) -> list[Document]:
    return [
        {"attributes": {name: str(value) for name, value in (manifest.get("Platform") or {}).items()}}
        for manifest in component.recipe.get("Manifests") or []
    ]


def _page(name: str, items: list[Any], members: Document) -> Document:
    """One page of a listing; the token is the position of the next item."""
    start = int(members.get("nextToken") or 0)
    size = int(members.get("maxResults") or 100)
    page: Document = {name: items[start : start + size]}
    if start + size < len(items):
        page["nextToken"] = str(start + size)
    return page
