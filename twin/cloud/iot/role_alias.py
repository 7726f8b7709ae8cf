"""Role aliases: the name under which a till asks for credentials, and the role that it stands for."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import unquote

from ministack.services import iam, iot

from twin.cloud.context import Answer, ApiError, Document, not_found, ok, scope
from twin.cloud.settings import Settings

NAME = re.compile(r"[\w=,@-]{1,128}", re.ASCII)
DURATION = range(900, 43201)  # seconds: CreateRoleAlias, API reference
DEFAULT_DURATION = 3600


class RoleAliases:
    """The role aliases of the account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._records: dict[str, Document] = {}

    def handle(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request under /role-aliases."""
        name = unquote(path.removeprefix("/role-aliases").strip("/"))
        payload = json.loads(body) if body else {}
        if not name:
            return ok({"roleAliases": sorted(self._records)})
        if method == "POST":
            return ok(self.create(name, payload))
        if method == "GET":
            return ok({"roleAliasDescription": self.describe(name)})
        if method == "PUT":
            return ok(self.update(name, payload))
        if method == "DELETE":
            self.delete(name)
            return ok({})
        raise ApiError("InvalidRequestException", f"Unsupported method {method}.")

    def create(self, name: str, payload: Document) -> Document:
        if not NAME.fullmatch(name):
            raise ApiError("InvalidRequestException", f"Invalid role alias name {name!r}.")
        if name in self._records:
            raise ApiError(
                "ResourceAlreadyExistsException", f"Role alias {name} already exists.", 409, resourceId=name
            )
        now = time.time()
        self._records[name] = {
            "roleAlias": name,
            "roleAliasArn": self.arn(name),
            "roleArn": self._usable_role(payload.get("roleArn")),
            "owner": self._settings.account,
            "credentialDurationSeconds": _duration(payload.get("credentialDurationSeconds")),
            "creationDate": now,
            "lastModifiedDate": now,
        }
        if payload.get("tags"):
            with scope(self._settings):
                iot._tags[self.arn(name)] = {tag["Key"]: tag.get("Value", "") for tag in payload["tags"]}
        return {"roleAlias": name, "roleAliasArn": self.arn(name)}

    def describe(self, name: str) -> Document:
        if name not in self._records:
            raise not_found(f"Role alias {name} not found.")
        return dict(self._records[name])

    def update(self, name: str, payload: Document) -> Document:
        self.describe(name)
        changes: Document = {"lastModifiedDate": time.time()}
        if "roleArn" in payload:
            changes["roleArn"] = self._usable_role(payload["roleArn"])
        if "credentialDurationSeconds" in payload:
            changes["credentialDurationSeconds"] = _duration(payload["credentialDurationSeconds"])
        self._records[name].update(changes)
        return {"roleAlias": name, "roleAliasArn": self.arn(name)}

    def delete(self, name: str) -> None:
        self.describe(name)
        del self._records[name]
        with scope(self._settings):
            iot._tags.pop(self.arn(name), None)

    def arn(self, name: str) -> str:
        return f"arn:aws:iot:{self._settings.region}:{self._settings.account}:rolealias/{name}"

    def _usable_role(self, arn: Any) -> str:
        name = str(arn or "").rpartition("/")[2]
        with scope(self._settings):
            role = iam._roles.get(name)
        if role is None:
            raise ApiError("InvalidRequestException", f"The role {arn} does not exist.")
        return str(arn)


def _duration(value: Any) -> int:
    seconds = DEFAULT_DURATION if value is None else int(value)
    if seconds not in DURATION:
        raise ApiError(
            "InvalidRequestException", f"credentialDurationSeconds must be 900 to 43200, not {seconds}."
        )
    return seconds
