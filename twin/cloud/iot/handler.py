"""The IoT control plane: role aliases and endpoints before the emulator's own handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import iot

from twin.cloud.context import Answer, ApiError, ok
from twin.cloud.iot.role_alias import RoleAliases

DATA_HOST = "data.iot.twin.internal"
CREDENTIALS_HOST = "credentials.iot.twin.internal"
HOSTS = {"iot:Data-ATS": DATA_HOST, "iot:CredentialProvider": CREDENTIALS_HOST}
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Answer]]


def wrap(handler: Handler, role_aliases: RoleAliases) -> Handler:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        if not path.startswith("/role-aliases"):
            return await handler(method, path, headers, body, query)
        try:
            return role_aliases.handle(method, path, body)
        except ApiError as error:
            return error.answer()

    return handle


def install_endpoints() -> None:
    """DescribeEndpoint names what a till's machine knows (docs/interfaces.md)."""
    describe = iot._describe_endpoint

    def describe_endpoint(query: dict[str, Any]) -> Answer:
        host = HOSTS.get(query.get("endpointType", ""))
        answer: Answer = ok({"endpointAddress": host}) if host else describe(query)
        return answer

    iot._describe_endpoint = describe_endpoint
