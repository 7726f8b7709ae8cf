"""Greengrass as far as publishing and sweeping need it: moto has none."""

import json
from typing import Any

from botocore.exceptions import ClientError

REGION_ACCOUNT = "eu-west-1:123456789012"


def refusal(code: str, operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


class FakeGreengrass:
    """Keeps component versions by ARN, deployments by id and core devices by thing name."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, str]] = {}
        self.cores: list[str] = []
        self.state_after_creation = "DEPLOYABLE"
        self.undeletable: set[str] = set()

    def create_component_version(self, *, inlineRecipe: bytes, tags: dict[str, str]) -> None:  # noqa: N803
        recipe = json.loads(inlineRecipe)
        arn = self.arn(recipe["ComponentName"], recipe["ComponentVersion"])
        if arn in self.versions:
            raise refusal("ConflictException")
        self.versions[arn] = {"recipe": recipe, "tags": tags, "state": self.state_after_creation}

    def describe_component(self, *, arn: str) -> dict[str, Any]:
        if arn not in self.versions:
            raise refusal("ResourceNotFoundException")
        version = self.versions[arn]
        return {"tags": version["tags"], "status": {"componentState": version["state"], "message": "because"}}

    def delete_component(self, *, arn: str) -> None:
        if arn in self.undeletable:
            raise refusal("AccessDeniedException")
        self.versions.pop(arn)

    def cancel_deployment(self, *, deploymentId: str) -> None:  # noqa: N803
        self.deployments[deploymentId]["deploymentStatus"] = "CANCELED"

    def delete_deployment(self, *, deploymentId: str) -> None:  # noqa: N803
        if self.deployments[deploymentId]["deploymentStatus"] == "ACTIVE":
            raise refusal("ConflictException")
        del self.deployments[deploymentId]

    def delete_core_device(self, *, coreDeviceThingName: str) -> None:  # noqa: N803
        self.cores.remove(coreDeviceThingName)

    def get_paginator(self, operation: str) -> "FakePages":
        return FakePages(self, operation)

    @staticmethod
    def arn(name: str, version: str) -> str:
        return f"arn:aws:greengrass:{REGION_ACCOUNT}:components:{name}:versions:{version}"


class FakePages:
    """One item a page, so that whoever stops after the first page is found out."""

    def __init__(self, service: FakeGreengrass, operation: str) -> None:
        self._service = service
        self._operation = operation

    def paginate(self, *, arn: str = "", **_: str) -> list[dict[str, Any]]:
        service = self._service
        if self._operation == "list_deployments":
            found = [{"deploymentId": key, **value} for key, value in service.deployments.items()]
            return [{"deployments": [one]} for one in found]
        if self._operation == "list_core_devices":
            return [{"coreDevices": [{"coreDeviceThingName": one}]} for one in service.cores]
        components = sorted({one.rpartition(":versions:")[0] for one in service.versions})
        if self._operation == "list_components":
            return [
                {"components": [{"arn": one, "componentName": one.rpartition(":")[2]}]} for one in components
            ]
        return [
            {"componentVersions": [{"arn": one}]} for one in service.versions if one.startswith(f"{arn}:")
        ]
