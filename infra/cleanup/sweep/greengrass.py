"""What releases and provisioning left with Greengrass: deployments, core devices, component versions."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from infra.cleanup.sweep.attempt import Attempts
from infra.names import Names


def deployments(client: Any, names: Names) -> Iterator[dict[str, Any]]:
    """The fleet's deployments, past ones too: to its groups and to single tills of it."""
    ours = (names.group_arn(names.prefix), names.thing_arn(names.prefix))
    for page in client.get_paginator("list_deployments").paginate(historyFilter="ALL"):
        for deployment in page["deployments"]:
            if deployment["targetArn"].startswith(ours):
                yield deployment


def core_devices(client: Any, names: Names) -> Iterator[str]:
    for page in client.get_paginator("list_core_devices").paginate():
        for device in page["coreDevices"]:
            if device["coreDeviceThingName"].startswith(names.prefix):
                yield device["coreDeviceThingName"]


def component_versions(client: Any, names: Names) -> Iterator[str]:
    """ARNs of every version of the fleet's components."""
    for page in client.get_paginator("list_components").paginate(scope="PRIVATE"):
        for component in page["components"]:
            if component["componentName"].startswith(names.component_prefix):
                versions = client.get_paginator("list_component_versions").paginate(arn=component["arn"])
                yield from (one["arn"] for answer in versions for one in answer["componentVersions"])


def sweep_deployments(client: Any, names: Names, attempts: Attempts) -> None:
    for deployment in list(deployments(client, names)):
        key = deployment["deploymentId"]
        steps = [partial(client.delete_deployment, deploymentId=key)]
        if deployment.get("deploymentStatus") == "ACTIVE":
            steps.insert(0, partial(client.cancel_deployment, deploymentId=key))
        attempts.delete("deployment", key, *steps)


def sweep_core_devices(client: Any, names: Names, attempts: Attempts) -> None:
    for thing in list(core_devices(client, names)):
        attempts.delete("core device", thing, partial(client.delete_core_device, coreDeviceThingName=thing))


def sweep_component_versions(client: Any, names: Names, attempts: Attempts) -> None:
    for arn in list(component_versions(client, names)):
        attempts.delete("component version", arn, partial(client.delete_component, arn=arn))
