"""What a core asks over HTTPS: its groups, which component versions to run, where an artifact lies."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from ministack.services import iot

from twin.cloud.context import Answer, ApiError, Document, not_found, ok, scope
from twin.cloud.greengrass.components import Components
from twin.cloud.greengrass.deployments import Deployments
from twin.cloud.iot.credentials import CredentialsEndpoint
from twin.cloud.iot.https import Request
from twin.cloud.iot.policy import Certificates
from twin.cloud.settings import Settings

URL_SECONDS = 900
TILL_ENDPOINT = "https://10.77.0.1"  # what a till's machine calls the gateway (docs/interfaces.md)


class DataPlane:
    """Routes the IoT HTTPS port; each call is held to the certificate's IoT policies."""

    def __init__(
        self,
        settings: Settings,
        certificates: Certificates,
        credentials: CredentialsEndpoint,
        components: Components,
        deployments: Deployments,
    ) -> None:
        self._settings = settings
        self._certificates = certificates
        self._credentials = credentials
        self._components = components
        self._deployments = deployments

    def respond(self, request: Request) -> Answer:
        """ApiError for what is refused, unknown or not understood."""
        parts = [unquote(part) for part in urlsplit(request.target).path.strip("/").split("/")]
        match (request.method, *parts):
            case ("GET", "role-aliases", alias, "credentials"):
                thing = request.headers.get("x-amzn-iot-thingname")
                return ok(self._credentials.issue(request.certificate_id, alias, thing))
            case ("GET", "greengrass", "v2", "coreDevices", thing, "thingGroups"):
                return ok(self._thing_groups(request, thing))
            case ("GET", "greengrass", "v2", "coreDevices", thing, "deployments", deployment):
                return ok(self._configuration(request, thing, deployment))
            case ("POST", "greengrass", "v2", "resolveComponentCandidates"):
                return ok(self._resolve(request))
            case ("GET", "greengrass", "v2", "components", arn, "artifacts", *name):
                return ok(self._artifact(request, arn, "/".join(name)))
        raise ApiError("UnknownOperationException", f"No operation {request.method} {request.target}.", 404)

    def _thing_groups(self, request: Request, thing: str) -> Document:
        self._own_thing(request, thing)
        self._allow(request, "ListThingGroupsForCoreDevice", self._arn(f"coreDevices:{thing}"))
        with scope(self._settings):
            names = list((iot._things.get(thing) or {}).get("thingGroupNames") or [])
            groups = [_group(name) for name in names]
        return {"thingGroups": groups}

    def _configuration(self, request: Request, thing: str, deployment_id: str) -> Document:
        self._own_thing(request, thing)
        deployment = self._deployments.get(deployment_id)
        document = self._deployments.document(deployment)
        self._allow(request, "GetDeploymentConfiguration", document["configurationArn"])
        with scope(self._settings):
            if (thing, deployment.job_id) not in iot._job_executions:
                raise not_found(f"{thing} is not a target of {deployment_id}.")
        return document

    def _resolve(self, request: Request) -> Document:
        self._allow(request, "ResolveComponentCandidates", "*")
        resolved = []
        for candidate in _json(request.body).get("componentCandidates") or []:
            requirements: dict[str, str] = candidate.get("versionRequirements") or {}
            component = self._components.resolve(candidate["componentName"], requirements)
            resolved.append(
                {
                    "arn": component.arn,
                    "componentName": component.name,
                    "componentVersion": component.version,
                    "recipe": base64.b64encode(json.dumps(component.recipe).encode()).decode(),
                }
            )
        return {"resolvedComponentVersions": resolved}

    def _artifact(self, request: Request, arn: str, name: str) -> Document:
        self._allow(request, "GetComponentVersionArtifact", arn)
        location = urlsplit(self._components.get(arn).artifact_uri(name))
        client: Any = boto3.client(
            "s3",
            region_name=self._settings.region,
            endpoint_url=TILL_ENDPOINT,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the account's only key
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        target = {"Bucket": location.netloc, "Key": location.path.lstrip("/")}
        url = client.generate_presigned_url("get_object", Params=target, ExpiresIn=URL_SECONDS)
        return {"preSignedUrl": url}

    def _own_thing(self, request: Request, thing: str) -> None:
        if not self._certificates.attached(request.certificate_id, thing):
            raise ApiError("AccessDeniedException", f"The certificate is not attached to {thing}.", 403)

    def _allow(self, request: Request, operation: str, resource: str) -> None:
        if not self._certificates.allows(request.certificate_id, f"greengrass:{operation}", resource):
            raise ApiError(
                "AccessDeniedException", f"No policy of the certificate allows greengrass:{operation}.", 403
            )

    def _arn(self, resource: str) -> str:
        return f"arn:aws:greengrass:{self._settings.region}:{self._settings.account}:{resource}"


def _group(name: str) -> Document:
    group = iot._thing_groups.get(name) or {}
    parents = (group.get("thingGroupMetadata") or {}).get("rootToParentThingGroups") or []
    arn = iot._thing_group_arn
    path = [{"name": each["groupName"], "arn": each["groupArn"]} for each in parents]
    return {
        "thingGroupName": name,
        "thingGroupArn": arn(name),
        "rootToParentThingGroups": [*path, {"name": name, "arn": arn(name)}],
    }


def _json(body: bytes) -> Document:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ApiError("ValidationException", "The request body is not JSON.") from error
    if not isinstance(document, dict):
        raise ApiError("ValidationException", "The request body is not a JSON object.")
    return document
