"""Greengrass IPC, as little of it as components need, and optional: a till sells without it.

`connect` gives None where there is no nucleus. Calls that a nucleus lacks or refuses raise IpcError;
`Degraded` says so once. The AWS library is imported only when there is a nucleus, since it costs some 20 MB.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any

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
    import awsiot.greengrasscoreipc  # noqa: PLC0415 - see above
    from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2  # noqa: PLC0415

    try:
        client = awsiot.greengrasscoreipc.connect(
            ipc_socket=environment[SOCKET_VARIABLE], authtoken=environment[TOKEN_VARIABLE], timeout=_SECONDS
        )
    except Exception as error:  # awscrt raises what it likes: RuntimeError, OSError, its own
        raise IpcError(f"the nucleus does not answer: {_sentence(error)}") from error
    return Ipc(GreengrassCoreIPCClientV2(client))


class Ipc:
    """Calls to the nucleus, each bounded in time; every failure is an IpcError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def configuration(self) -> Mapping[str, Any]:
        """This component's own configuration."""
        answer = self._wait("GetConfiguration", self._client.get_configuration_async())
        value = answer.value
        return dict(value) if isinstance(value, Mapping) else {}

    def publish_local(self, topic: str, message: Mapping[str, Any]) -> None:
        """Tell other components on this till; needs `aws.greengrass.ipc.pubsub` in the recipe."""
        from awsiot.greengrasscoreipc.model import BinaryMessage, PublishMessage  # noqa: PLC0415

        content = PublishMessage(binary_message=BinaryMessage(message=json.dumps(message).encode()))
        future = self._client.publish_to_topic_async(topic=topic, publish_message=content)
        self._wait("PublishToTopic", future)

    def subscribe_local(self, topic: str, heard: Callable[[], None], lost: Callable[[], None]) -> None:
        """Call `heard` for each message on a local topic, whatever is in it; `lost` when the stream ends."""
        answer = self._start(
            "SubscribeToTopic",
            self._client.subscribe_to_topic_async,
            topic=topic,
            on_stream_event=lambda _event: heard(),
            on_stream_error=lambda _error: True,
            on_stream_closed=lost,
        )
        self._wait("SubscribeToTopic", answer)

    def watch_updates(self, defer_milliseconds: Callable[[], int]) -> None:
        """Ask, before a component update, how long it should wait; 0 lets it go on. Absent on lite."""

        def decide(event: Any) -> None:
            update = event.pre_update_event
            if update is not None:
                self._client.defer_component_update_async(
                    deployment_id=update.deployment_id, recheck_after_ms=defer_milliseconds()
                )

        answer = self._start(
            "SubscribeToComponentUpdates",
            self._client.subscribe_to_component_updates_async,
            on_stream_event=decide,
            on_stream_error=lambda _error: False,
            on_stream_closed=lambda: None,
        )
        self._wait("SubscribeToComponentUpdates", answer)

    def watch_configuration(self, changed: Callable[[], None]) -> None:
        """Call `changed` when this component's configuration was updated; lite restarts it as well."""
        answer = self._start(
            "SubscribeToConfigurationUpdate",
            self._client.subscribe_to_configuration_update_async,
            on_stream_event=lambda _event: changed(),
            on_stream_error=lambda _error: False,
            on_stream_closed=lambda: None,
        )
        self._wait("SubscribeToConfigurationUpdate", answer)

    def close(self) -> None:
        with suppress(
            IpcError
        ):  # streams end before the threads that tell of it; a dead connection is closed
            self._wait("closing", self._client.client.close())
        self._client.close(executor_wait=False)

    @staticmethod
    def _start(call: str, function: Callable[..., Any], **arguments: Any) -> Any:
        try:
            answer, _operation = function(**arguments)
        except Exception as error:
            raise IpcError(f"{call} failed: {_sentence(error)}") from error
        return answer

    @staticmethod
    def _wait(call: str, future: Any) -> Any:
        try:
            return future.result(timeout=_SECONDS)
        except FutureTimeoutError as error:
            raise IpcError(f"{call} was not answered within {_SECONDS:.0f} s") from error
        except Exception as error:  # ServiceError on a nucleus without the call
            raise IpcError(f"{call} failed: {_sentence(error)}") from error


class Degraded:
    """Says once what a component goes without."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: set[str] = set()

    def say(self, what: str, error: IpcError) -> None:
        if what not in self._said:
            self._said.add(what)
            self._log.warning("%s: %s", what, error)


def _sentence(error: Exception) -> str:
    return getattr(error, "message", None) or str(error) or type(error).__name__
