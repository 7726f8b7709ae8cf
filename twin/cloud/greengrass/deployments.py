"""Deployments: what a thing or a thing group should run, carried to cores by IoT jobs."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from ministack.services import iot

from twin.cloud.context import ApiError, Document, not_found, raise_for, scope
from twin.cloud.greengrass.components import Components
from twin.cloud.settings import Settings

NAMESPACE = "aws-gg-deployment"
DEFAULT_UPDATE_POLICY = {"timeoutInSeconds": 60, "action": "NOTIFY_COMPONENTS"}
DEFAULT_VALIDATION = {"timeoutInSeconds": 30}
JOB_SETTINGS = ("jobExecutionsRolloutConfig", "abortConfig", "timeoutConfig")


@dataclass(frozen=True)
class Deployment:
    """One revision for one target; `request` is what CreateDeployment was given."""

    id: str
    job_id: str
    revision: int
    target: str
    name: str
    request: Document
    created_at: float
    status: str = "ACTIVE"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def for_group(self) -> bool:
        return ":thinggroup/" in self.target


class Deployments:
    """The account's deployments; a target's newest one is the one in force."""

    def __init__(self, settings: Settings, components: Components) -> None:
        self._settings = settings
        self._components = components
        self._records: dict[str, Deployment] = {}
        self._revisions: dict[str, int] = {}

    def create(self, request: Document) -> Deployment:
        """Make the next revision for its target and its job; the one before becomes INACTIVE."""
        target = str(request.get("targetArn", ""))
        self._check_target(target)
        if request.get("parentTargetArn"):
            self._check_target(str(request["parentTargetArn"]))
        self._check_components(request.get("components") or {})
        deployment = Deployment(
            id=str(uuid.uuid4()),
            job_id=str(uuid.uuid4()),
            revision=self._revisions.get(target, 0) + 1,
            target=target,
            name=request.get("deploymentName") or f"Deployment for {target.rpartition('/')[2]}",
            request=request,
            created_at=time.time(),
            tags=dict(request.get("tags") or {}),
        )
        before = self.latest(target)
        if before and before.status == "ACTIVE":
            self._cancel_job(before)
            self._records[before.id] = replace(before, status="INACTIVE")
        self._create_job(deployment)
        self._revisions[target] = deployment.revision
        self._records[deployment.id] = deployment
        return deployment

    def get(self, deployment_id: str) -> Deployment:
        if deployment_id not in self._records:
            raise not_found(
                f"Deployment {deployment_id} does not exist.",
                resourceId=deployment_id,
                resourceType="deployment",
            )
        return self._records[deployment_id]

    def all(self) -> list[Deployment]:
        """Newest first."""
        return sorted(self._records.values(), key=lambda each: each.created_at, reverse=True)

    def latest(self, target: str) -> Deployment | None:
        return next((each for each in self.all() if each.target == target), None)

    def of_job(self, job_id: str) -> Deployment | None:
        return next((each for each in self._records.values() if each.job_id == job_id), None)

    def status(self, deployment: Deployment) -> str:
        """As GetDeployment words it: a single thing's job can complete, a group's goes on."""
        if deployment.status != "ACTIVE":
            return deployment.status
        with scope(self._settings):
            job = iot._jobs.get(deployment.job_id)
        if job and job["status"] == "CANCELED":
            return "CANCELED"
        return "COMPLETED" if job and job["status"] == "COMPLETED" else "ACTIVE"

    def cancel(self, deployment_id: str) -> str:
        deployment = self.get(deployment_id)
        if self.status(deployment) != "ACTIVE":
            raise ApiError("ConflictException", f"Deployment {deployment_id} is not active.", 409)
        self._cancel_job(deployment)
        self._records[deployment_id] = replace(deployment, status="CANCELED")
        return f"Deployment {deployment_id} is canceled."

    def delete(self, deployment_id: str) -> None:
        """An active deployment has to be cancelled first."""
        deployment = self.get(deployment_id)
        if self.status(deployment) == "ACTIVE":
            raise ApiError(
                "ConflictException",
                f"Deployment {deployment_id} is active: cancel it before you delete it.",
                409,
                resourceId=deployment_id,
                resourceType="deployment",
            )
        with scope(self._settings):
            if deployment.job_id in iot._jobs:
                raise_for(_run(iot._delete_job(deployment.job_id, {"force": "true"})))
        del self._records[deployment_id]

    def job_arn(self, deployment: Deployment) -> str:
        return f"arn:aws:iot:{self._settings.region}:{self._settings.account}:job/{deployment.job_id}"

    def document(self, deployment: Deployment) -> Document:
        """The job document that a core reads (seen from a real core; see docs of the twin)."""
        request = deployment.request
        policies = request.get("deploymentPolicies") or {}
        update = {**DEFAULT_UPDATE_POLICY, **(policies.get("componentUpdatePolicy") or {})}
        validation = {**DEFAULT_VALIDATION, **(policies.get("configurationValidationPolicy") or {})}
        kind, _, name = deployment.target.rpartition(":")[2].partition("/")
        prefix = f"arn:aws:greengrass:{self._settings.region}:{self._settings.account}:configuration"
        document: Document = {
            "deploymentId": deployment.id,
            "configurationArn": f"{prefix}:{kind}/{name}:{deployment.revision}",
            "creationTimestamp": int(deployment.created_at * 1000),
            "components": {
                each: _component(spec) for each, spec in (request.get("components") or {}).items()
            },
            "failureHandlingPolicy": policies.get("failureHandlingPolicy") or "ROLLBACK",
            "componentUpdatePolicy": {"timeout": update["timeoutInSeconds"], "action": update["action"]},
            "configurationValidationPolicy": {"timeout": validation["timeoutInSeconds"]},
            "deploymentName": deployment.name,
        }
        if request.get("parentTargetArn"):
            document["parentTargetArn"] = request["parentTargetArn"]
        return document

    def _check_target(self, target: str) -> None:
        kind, _, name = target.rpartition(":")[2].partition("/")
        with scope(self._settings):
            known = {"thing": iot._things, "thinggroup": iot._thing_groups}.get(kind)
            if known is None:
                raise ApiError(
                    "ValidationException", f"The target {target} is neither a thing nor a thing group."
                )
            if name not in known:
                raise not_found(f"The target {target} does not exist.", resourceId=target, resourceType=kind)

    def _check_components(self, wanted: Document) -> None:
        for name, spec in wanted.items():
            version = spec.get("componentVersion")
            if not version:
                raise ApiError("ValidationException", f"components.{name} has no componentVersion.")
            if version not in {each.version for each in self._components.named(name)}:
                raise not_found(
                    f"Component {name} has no version {version}.", resourceId=name, resourceType="component"
                )
            _component(spec)

    def _create_job(self, deployment: Deployment) -> None:
        job_settings = deployment.request.get("iotJobConfiguration") or {}
        payload: dict[str, Any] = {
            "targets": [deployment.target],
            "targetSelection": "CONTINUOUS" if deployment.for_group else "SNAPSHOT",
            "document": json.dumps(self.document(deployment)),
            "namespaceId": NAMESPACE,
            **{name: job_settings[name] for name in JOB_SETTINGS if job_settings.get(name)},
        }
        with scope(self._settings):
            raise_for(_run(iot._create_job(deployment.job_id, payload)))

    def _cancel_job(self, deployment: Deployment) -> None:
        with scope(self._settings):
            job = iot._jobs.get(deployment.job_id)
            if job and job["status"] == "IN_PROGRESS":
                raise_for(_run(iot._cancel_job(deployment.job_id, {}, {})))


def _run(operation: Coroutine[Any, Any, Any]) -> Any:
    """Run a job operation to its end at once: with messages sent later (jobs.py) it never waits.

    CloudFormation calls its handlers on the event loop, where nothing could wait for it.
    """
    try:
        operation.send(None)
    except StopIteration as ended:
        return ended.value
    operation.close()
    raise RuntimeError("The emulator's job operations wait for something: see twin/cloud/greengrass/jobs.py.")


def _component(spec: Document) -> Document:
    """One component of the job document; ApiError when its configuration update is not JSON."""
    found: Document = {"version": spec["componentVersion"]}
    update = spec.get("configurationUpdate") or {}
    if update:
        try:
            merge = json.loads(update.get("merge") or "{}")
        except ValueError as error:
            raise ApiError(
                "ValidationException", f"configurationUpdate.merge is not JSON: {error}"
            ) from error
        found["configurationUpdate"] = {"merge": merge, "reset": update.get("reset") or []}
    if spec.get("runWith"):
        found["runWith"] = spec["runWith"]
    return found
