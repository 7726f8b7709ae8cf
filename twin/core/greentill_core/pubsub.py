"""Local publish and subscribe, and the way to AWS IoT, for components."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from . import access
from .ipc_server import IpcError, Stream

Configuration = Callable[[str], Mapping[str, Any]]


class Link(Protocol):
    """What pub/sub needs of the connection to AWS IoT."""

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> bool: ...

    async def listen(
        self, topic_filter: str, handler: Callable[[str, bytes], None], qos: int = 1
    ) -> None: ...

    async def forget(self, topic_filter: str, handler: Callable[[str, bytes], None]) -> None: ...


class PubSub:
    """Four operations, each held against the caller's accessControl."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._local: list[tuple[str, bool, Stream]] = []
        self._forgetting: set[asyncio.Task[None]] = set()
        self.link: Link | None = None  # there is none before the till is provisioned

    async def publish_to_topic(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        topic = _text(body, "topic")
        self._authorize(stream, access.PUBSUB, "PublishToTopic", topic)
        message = body.get("publishMessage") or {}
        kind = next((key for key in ("jsonMessage", "binaryMessage") if message.get(key)), None)
        if kind is None:
            raise IpcError("InvalidArgumentsError", "publishMessage holds no message")
        event = {kind: {**message[kind], "context": {"topic": topic}}}
        for topic_filter, others_only, subscriber in list(self._local):
            own = subscriber.component == stream.component
            if access.topic_matches(topic_filter, topic) and not (own and others_only):
                subscriber.send("SubscriptionResponseMessage", event)
        return "PublishToTopicResponse", {}

    async def subscribe_to_topic(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        topic = _text(body, "topic")
        self._authorize(stream, access.PUBSUB, "SubscribeToTopic", topic)
        entry = (topic, body.get("receiveMode") == "RECEIVE_MESSAGES_FROM_OTHERS", stream)
        self._local.append(entry)
        stream.ended.append(lambda: self._local.remove(entry))
        return "SubscribeToTopicResponse", {"topicName": topic}

    async def publish_to_iot_core(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        topic = _text(body, "topicName")
        self._authorize(stream, access.MQTT_PROXY, "PublishToIoTCore", topic)
        try:
            payload = base64.b64decode(body.get("payload") or "", validate=True)
        except binascii.Error as error:
            raise IpcError("InvalidArgumentsError", f"the payload is not base64: {error}") from error
        if self.link is None or not self.link.publish(topic, payload, _qos(body)):
            raise IpcError("ServiceError", "the message does not fit into the spool")
        return "PublishToIoTCoreResponse", {}

    async def subscribe_to_iot_core(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        topic, link = _text(body, "topicName"), self.link
        self._authorize(stream, access.MQTT_PROXY, "SubscribeToIoTCore", topic)
        if link is None:
            raise IpcError("ServiceError", "the till is not provisioned")

        def heard(name: str, payload: bytes) -> None:
            message = {"topicName": name, "payload": base64.b64encode(payload).decode()}
            stream.send("IoTCoreMessage", {"message": message})

        def ended() -> None:
            task = asyncio.create_task(link.forget(topic, heard))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

        await link.listen(topic, heard, _qos(body))
        stream.ended.append(ended)
        return "SubscribeToIoTCoreResponse", {}

    def _authorize(self, stream: Stream, service: str, operation: str, topic: str) -> None:
        name = f"aws.greengrass#{operation}"
        if not access.allowed(self._configuration(stream.component), service, name, topic):
            raise IpcError(
                "UnauthorizedError",
                f"Principal {stream.component} is not authorized to perform {name} on {topic}",
            )


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise IpcError("InvalidArgumentsError", f"{key} is missing")
    return value


def _qos(body: Mapping[str, Any]) -> int:
    return 0 if str(body.get("qos", "1")) == "0" else 1
