"""The IPC operations about configuration, state and updates; what the others are is in pubsub."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .configuration import lookup, merge, parse_pointer, place
from .ipc_server import IpcError, Operation, Stream
from .pubsub import PubSub

_LONGEST_DEFERRAL_MS = 24 * 3600 * 1000


class ConfigurationStore(Protocol):
    """Where components' configuration is kept."""

    def configuration(self, name: str) -> Mapping[str, Any]: ...

    def set_configuration(self, name: str, value: Mapping[str, Any]) -> None: ...

    def knows(self, name: str) -> bool: ...


class Updates:
    """Asks components, before a deployment touches them, how long it should wait."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []
        self._answers: dict[str, float] = {}  # component -> ms to wait; 0 means go on
        self._deployment = ""

    async def subscribe(self, stream: Stream, _body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        self._streams.append(stream)
        stream.ended.append(lambda: self._streams.remove(stream))
        return "SubscribeToComponentUpdatesResponse", {}

    async def defer(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if body.get("deploymentId") != self._deployment or not self._deployment:
            raise IpcError("ServiceError", "no such deployment is asking")
        wait = float(body.get("recheckAfterMs") or 0)
        self._answers[stream.component] = min(max(wait, 0.0), _LONGEST_DEFERRAL_MS)
        return "DeferComponentUpdateResponse", {}

    def ask(self, deployment: str, names: set[str]) -> set[str]:
        """Send a pre-update event to the listeners among `names`; who was asked."""
        self._deployment, self._answers = deployment, {}
        asked = {stream.component for stream in self._streams if stream.component in names}
        event = {"preUpdateEvent": {"deploymentId": deployment, "isGgcRestarting": False}}
        for stream in list(self._streams):
            if stream.component in asked:
                stream.send("ComponentUpdatePolicyEvents", event)
        return asked

    def answers(self) -> dict[str, float]:
        """Milliseconds that each one that answered wants to wait."""
        return dict(self._answers)

    def over(self, deployment: str) -> None:
        """Tell every listener that the update is done."""
        self._deployment = ""
        for stream in list(self._streams):
            stream.send("ComponentUpdatePolicyEvents", {"postUpdateEvent": {"deploymentId": deployment}})


class Operations:
    """What components may call."""

    def __init__(
        self,
        store: ConfigurationStore,
        pubsub: PubSub,
        updates: Updates,
        report_state: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._pubsub = pubsub
        self._updates = updates
        self._report_state = report_state
        self._watchers: list[tuple[str, list[str], Stream]] = []

    def table(self) -> dict[str, Operation]:
        return {
            "PublishToTopic": self._pubsub.publish_to_topic,
            "SubscribeToTopic": self._pubsub.subscribe_to_topic,
            "PublishToIoTCore": self._pubsub.publish_to_iot_core,
            "SubscribeToIoTCore": self._pubsub.subscribe_to_iot_core,
            "GetConfiguration": self._get,
            "UpdateConfiguration": self._update,
            "SubscribeToConfigurationUpdate": self._watch,
            "UpdateState": self._state,
            "SubscribeToComponentUpdates": self._updates.subscribe,
            "DeferComponentUpdate": self._updates.defer,
        }

    def configuration_changed(self, name: str, keys: list[str]) -> None:
        """Tell those who watch this place of a component's configuration."""
        event = {"configurationUpdateEvent": {"componentName": name, "keyPath": keys}}
        for component, watched, stream in list(self._watchers):
            shared = min(len(watched), len(keys))
            if component == name and watched[:shared] == keys[:shared]:
                stream.send("ConfigurationUpdateEvents", event)

    async def _get(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = body.get("componentName") or stream.component
        if not self._store.knows(name):
            raise IpcError("ResourceNotFoundError", f"{name} is not on this till", resourceName=name)
        keys = _keys(body.get("keyPath"))
        try:
            value = lookup(self._store.configuration(name), keys)
        except KeyError as error:
            raise IpcError("ResourceNotFoundError", f"{name} has no {'/'.join(keys)}") from error
        wrapped = value if isinstance(value, dict) else {keys[-1]: value}
        return "GetConfigurationResponse", {"componentName": name, "value": wrapped}

    async def _update(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        keys, value = _keys(body.get("keyPath")), body.get("valueToMerge")
        if not isinstance(value, dict):
            raise IpcError("InvalidArgumentsError", "valueToMerge is missing")
        if "accessControl" in keys or (not keys and "accessControl" in value):
            raise IpcError("InvalidArgumentsError", "a component may not change its accessControl")
        if float(body.get("timestamp") or 0) > time.time() + 3600:
            raise IpcError("InvalidArgumentsError", "the timestamp lies in the future")
        update: dict[str, Any] = value
        if keys:
            update = {}
            place(update, keys, value)
        self._store.set_configuration(
            stream.component, merge(dict(self._store.configuration(stream.component)), update)
        )
        self.configuration_changed(stream.component, keys)
        return "UpdateConfigurationResponse", {}

    async def _watch(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = body.get("componentName") or stream.component
        if not self._store.knows(name):
            raise IpcError("ResourceNotFoundError", f"{name} is not on this till", resourceName=name)
        entry = (name, _keys(body.get("keyPath")), stream)
        self._watchers.append(entry)
        stream.ended.append(lambda: self._watchers.remove(entry))
        return "SubscribeToConfigurationUpdateResponse", {}

    async def _state(self, stream: Stream, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        state = body.get("state")
        if state not in ("RUNNING", "ERRORED"):
            raise IpcError("InvalidArgumentsError", "state must be RUNNING or ERRORED")
        self._report_state(stream.component, state)
        return "UpdateStateResponse", {}


def _keys(path: Any) -> list[str]:
    """A key path: a list of keys, of which a single one may be a JSON pointer."""
    if not path:
        return []
    if isinstance(path, list) and all(isinstance(key, str) for key in path):
        if len(path) == 1 and path[0].startswith("/"):
            return parse_pointer(path[0])
        return [key for key in path if key]
    raise IpcError("InvalidArgumentsError", "keyPath must be a list of texts")
