"""The HTTPS calls of a core, made with its certificate: Greengrass data plane and credentials endpoint."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from .errors import DeploymentError, NotReachableError
from .identity import Identity
from .settings import Settings

_SECONDS = 30
_LASTING = range(400, 500)
_PASSING = (408, 429)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A component version that the cloud chose, and its recipe."""

    arn: str
    name: str
    version: str
    recipe: bytes


class DataPlane:
    """Blocking calls; NotReachableError means later, DeploymentError means no."""

    def __init__(self, settings: Settings, identity: Identity) -> None:
        self._settings = settings
        self._thing = identity.thing
        self._tls = ssl.create_default_context(cafile=str(settings.root_ca))
        self._tls.load_cert_chain(identity.certificate, identity.private_key)

    def thing_groups(self) -> list[str]:
        """Names of the groups that this till is in."""
        answer = self._greengrass("GET", f"coreDevices/{quote(self._thing)}/thingGroups")
        return [group["thingGroupName"] for group in answer.get("thingGroups", [])]

    def resolve(self, name: str, requirements: Mapping[str, str], platform: Mapping[str, str]) -> Resolved:
        """The version of a component that meets every requirement."""
        body = {
            "componentCandidates": [{"componentName": name, "versionRequirements": dict(requirements)}],
            "platform": {"name": "linux", "attributes": dict(platform)},
        }
        answer = self._greengrass("POST", "resolveComponentCandidates", body)
        for found in answer.get("resolvedComponentVersions", []):
            if found["componentName"] == name:
                return Resolved(
                    found["arn"], name, found["componentVersion"], base64.b64decode(found["recipe"])
                )
        raise DeploymentError(f"the cloud has no version of {name} for {dict(requirements)}")

    def artifact_url(self, arn: str, uri: str) -> str:
        """A presigned address for an artifact that the cloud itself keeps."""
        name = uri.rsplit("/", 1)[-1]
        path = f"components/{quote(arn, safe='')}/artifacts/{quote(name, safe='')}"
        return str(self._greengrass("GET", path)["preSignedUrl"])

    def credentials(self) -> dict[str, str]:
        """accessKeyId, secretAccessKey, sessionToken, expiration (ISO 8601)."""
        answer = self._call(
            self._settings.iot_credentials_endpoint,
            self._settings.credentials_port,
            "GET",
            f"/role-aliases/{quote(self._settings.role_alias)}/credentials",
            headers={"x-amzn-iot-thingname": self._thing},
        )
        return {key: str(value) for key, value in answer["credentials"].items()}

    def download(self, url: str) -> bytes:
        """A presigned address's content, over the environment's proxies."""
        if urlsplit(url).scheme not in ("https", "http"):
            raise DeploymentError(f"{url} is not an address to download from")
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the scheme is checked above
                return bytes(answer.read())
        except OSError as error:
            raise NotReachableError(f"download failed: {error}") from error

    def _greengrass(self, method: str, path: str, body: object | None = None) -> dict[str, Any]:
        settings = self._settings
        return self._call(
            settings.iot_data_endpoint, settings.data_plane_port, method, f"/greengrass/v2/{path}", body=body
        )

    def _call(
        self,
        host: str,
        port: int,
        method: str,
        path: str,
        *,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._tls)
        try:
            data = None if body is None else json.dumps(body)
            kind = {"Content-Type": "application/json"} if data else {}
            connection.request(method, path, data, {**kind, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReachableError(f"{method} https://{host}:{port}{path}: {error}") from error
        finally:
            connection.close()
        if answer.status in _LASTING and answer.status not in _PASSING:
            raise DeploymentError(f"{method} {path} was refused with {answer.status}: {_short(text)}")
        if answer.status != 200:
            raise NotReachableError(f"{method} {path} was answered {answer.status}: {_short(text)}")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise NotReachableError(f"{method} {path} was not answered in JSON: {_short(text)}") from error
        return dict(found)


def _short(text: bytes) -> str:
    return text[:300].decode(errors="replace")
