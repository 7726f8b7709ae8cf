"""Greengrass IPC, as little of it as components need, and optional: a till sells without it.

`connect` gives None where there is no nucleus. Calls that a nucleus lacks or refuses raise IpcError;
`Degraded` says so once. docs/decisions/0009-ipc-without-the-sdk.md says why this is not AWS's library.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from .rpc import Answer, RpcConnection, RpcError

SOCKET_VARIABLE = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
TOKEN_VARIABLE = "SVCUID"  # noqa: S105 - the name of the variable
_SECONDS = 5.0  # for any answer: the nucleus is on the same machine


class IpcError(Exception):
    """The nucleus is not there, lacks the call, or refuses it."""


def available(environment: Mapping[str, str]) -> bool:
    """Whether the process was started by a nucleus."""
    return bool(environment.get(SOCKET_VARIABLE) and environment.get(TOKEN_VARIABLE))


def connect(environment: Mapping[str, str]) -> Ipc | None:
    """A connection to the nucleus that started this process, or None; IpcError when it does not answer."""
    if not available(environment):
        return None
    try:
        return Ipc(RpcConnection(environment[SOCKET_VARIABLE], environment[TOKEN_VARIABLE], _SECONDS))
    except RpcError as error:
        raise IpcError(f"the nucleus does not answer: {error}") from error


class Ipc:
    """Calls to the nucleus, each bounded in time; every failure is an IpcError."""

    def __init__(self, connection: RpcConnection) -> None:
        self._connection = connection

    def configuration(self) -> Mapping[str, Any]:
        """This component's own configuration."""
        value = self._call("GetConfiguration", {}).get("value")
        return value if isinstance(value, Mapping) else {}

    def publish_local(self, topic: str, message: Mapping[str, Any]) -> None:
        """Tell other components on this till; needs `aws.greengrass.ipc.pubsub` in the recipe."""
        content = base64.b64encode(json.dumps(message).encode()).decode()
        body = {"binaryMessage": {"message": content}}
        self._call("PublishToTopic", {"topic": topic, "publishMessage": body})

    def subscribe_local(self, topic: str, heard: Callable[[], None], lost: Callable[[], None]) -> None:
        """Call `heard` for each message on a local topic, whatever is in it; `lost` when the stream ends."""
        self._subscribe("SubscribeToTopic", {"topic": topic}, lambda _event: heard(), lost)

    def publish_cloud(self, topic: str, payload: bytes) -> None:
        """Publish to AWS IoT with QoS 1; needs `aws.greengrass.ipc.mqttproxy` in the recipe.

        Offline, classic keeps the message in memory and lite raises IpcError: nothing says that it arrived.
        """
        body = {"topicName": topic, "qos": "1", "payload": base64.b64encode(payload).decode()}
        self._call("PublishToIoTCore", body)

    def subscribe_cloud(self, topic: str, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Call `heard` with each payload of an AWS IoT topic; `lost` when the stream ends."""

        def event(answer: Answer) -> None:
            heard(base64.b64decode((answer.get("message") or {}).get("payload") or ""))

        self._subscribe("SubscribeToIoTCore", {"topicName": topic, "qos": "1"}, event, lost)

    def watch_updates(self, defer_milliseconds: Callable[[str], int]) -> None:
        """Ask, before a deployment updates components, how long it should wait; 0 lets it go on.

        The nucleus asks again after that time, with the same deployment id. Absent on lite.
        """

        def decide(event: Answer) -> None:
            update = event.get("preUpdateEvent")
            deployment = update.get("deploymentId") if isinstance(update, dict) else None
            if isinstance(deployment, str):  # whatever else comes must not end the connection
                wait = {"deploymentId": deployment, "recheckAfterMs": defer_milliseconds(deployment)}
                self._connection.send("DeferComponentUpdate", wait)

        self._subscribe("SubscribeToComponentUpdates", {}, decide, lambda: None)

    def watch_configuration(self, changed: Callable[[], None]) -> None:
        """Call `changed` when this component's configuration was updated; lite restarts it as well."""
        self._subscribe("SubscribeToConfigurationUpdate", {}, lambda _event: changed(), lambda: None)

    def close(self) -> None:
        self._connection.close()

    def _call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        try:
            return self._connection.call(operation, request)
        except RpcError as error:
            raise IpcError(f"{operation} failed: {error}") from error

    def _subscribe(
        self,
        operation: str,
        request: Mapping[str, Any],
        heard: Callable[[Answer], None],
        lost: Callable[[], None],
    ) -> None:
        try:
            self._connection.subscribe(operation, request, heard, lost)
        except RpcError as error:
            raise IpcError(f"{operation} failed: {error}") from error


class Degraded:
    """Says once what a component goes without."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: set[str] = set()

    def say(self, what: str, error: IpcError) -> None:
        if what not in self._said:
            self._said.add(what)
            self._log.warning("%s: %s", what, error)
