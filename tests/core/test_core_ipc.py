"""The real awsiotsdk client against the core's IPC server."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Any

import awsiot.greengrasscoreipc
import pytest
from awsiot.eventstreamrpc import AccessDeniedError
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    BinaryMessage,
    InvalidArgumentsError,
    JsonMessage,
    PublishMessage,
    ReportedLifecycleState,
    ResourceNotFoundError,
    ServiceError,
    UnauthorizedError,
)

from tests.core.core_under_test import Core, access, with_core

PUBSUB = "aws.greengrass.ipc.pubsub"
MQTT_PROXY = "aws.greengrass.ipc.mqttproxy"


class Component:
    """A component's side, with the SDK as components use it."""

    def __init__(self, core: Core, name: str, configuration: dict[str, Any] | None = None) -> None:
        core.state.set_configuration(name, configuration or {})
        core.ipc.admit(f"token-of-{name}", name)
        self._path = str(core.ipc.path)
        self._token = f"token-of-{name}"

    def __enter__(self) -> GreengrassCoreIPCClientV2:
        self._client = GreengrassCoreIPCClientV2(
            awsiot.greengrasscoreipc.connect(ipc_socket=self._path, authtoken=self._token, timeout=60)
        )
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


def on_machine(test: Callable[[Core], Any], **changes: Any) -> Any:
    """The SDK blocks, so the component's side runs in a thread beside the core's loop."""

    async def body(core: Core) -> Any:
        return await asyncio.to_thread(test, core)

    return with_core(body, **changes)


def test_a_message_reaches_the_component_that_may_hear_it_as_it_was_sent() -> None:
    def test(core: Core) -> tuple[Any, Any]:
        heard: queue.Queue[Any] = queue.Queue()
        teller = Component(core, "com.test.Teller", access(PUBSUB, "PublishToTopic", "greentill/sales"))
        hearer = Component(core, "com.test.Hearer", access(PUBSUB, "SubscribeToTopic", "greentill/*"))
        with teller as tell, hearer as hear:
            hear.subscribe_to_topic(topic="greentill/sales", on_stream_event=heard.put)
            tell.publish_to_topic(
                topic="greentill/sales",
                publish_message=PublishMessage(binary_message=BinaryMessage(message=b"\x00\xffsale")),
            )
            tell.publish_to_topic(
                topic="greentill/sales",
                publish_message=PublishMessage(json_message=JsonMessage(message={"seq": 7})),
            )
            return heard.get(timeout=60), heard.get(timeout=60)

    first, second = on_machine(test)
    assert first.binary_message.message == b"\x00\xffsale"
    assert first.binary_message.context.topic == "greentill/sales"
    assert second.json_message.message == {"seq": 7}


def test_a_component_that_may_not_publish_or_subscribe_is_told_so_and_nothing_is_delivered() -> None:
    def test(core: Core) -> None:
        with Component(core, "com.test.Nobody", access(PUBSUB, "PublishToTopic", "mine")) as client:
            with pytest.raises(UnauthorizedError):
                client.publish_to_topic(
                    topic="other", publish_message=PublishMessage(json_message=JsonMessage(message={}))
                )
            with pytest.raises(UnauthorizedError):
                client.subscribe_to_topic(topic="mine", on_stream_event=lambda _: None)
            with pytest.raises(UnauthorizedError):
                client.publish_to_iot_core(topic_name="mine", qos="1", payload=b"x")

    on_machine(test)


def test_a_closed_subscription_hears_nothing_more() -> None:
    def test(core: Core) -> bool:
        heard: queue.Queue[Any] = queue.Queue()
        rights = {"accessControl": {PUBSUB: {"one": {"operations": ["*"], "resources": ["*"]}}}}
        with Component(core, "com.test.Both", rights) as client:
            message = PublishMessage(json_message=JsonMessage(message={}))
            _, operation = client.subscribe_to_topic(topic="a", on_stream_event=heard.put)
            client.publish_to_topic(topic="a", publish_message=message)
            heard.get(timeout=60)
            operation.close().result(60)
            client.publish_to_topic(topic="a", publish_message=message)
            client.get_configuration()  # answered after the publish was
            return heard.empty()

    assert on_machine(test)


def test_a_stranger_without_a_known_token_is_not_let_in() -> None:
    def test(core: Core) -> None:
        with pytest.raises(AccessDeniedError):
            awsiot.greengrasscoreipc.connect(ipc_socket=str(core.ipc.path), authtoken="guessed", timeout=60)

    on_machine(test)


def test_configuration_is_read_at_a_path_and_missing_places_are_named() -> None:
    def test(core: Core) -> None:
        with Component(core, "com.test.Pos", {"data_dir": "/x", "retention": {"days": 400}}) as client:
            assert client.get_configuration().value == {"data_dir": "/x", "retention": {"days": 400}}
            assert client.get_configuration(key_path=["retention", "days"]).value == {"days": 400}
            with pytest.raises(ResourceNotFoundError):
                client.get_configuration(key_path=["nothing"])
            with pytest.raises(ResourceNotFoundError):
                client.get_configuration(component_name="com.test.Absent")

    on_machine(test)


def test_an_update_of_configuration_is_kept_on_disk_and_told_to_who_watches() -> None:
    def test(core: Core) -> Any:
        heard: queue.Queue[Any] = queue.Queue()
        with Component(core, "com.test.Pos", {"retention": {"days": 400}}) as client:
            client.subscribe_to_configuration_update(key_path=["retention"], on_stream_event=heard.put)
            client.update_configuration(key_path=["retention"], value_to_merge={"days": 30})
            assert client.get_configuration(key_path=["retention"]).value == {"days": 30}
        text = (core.settings.root / "config" / "state.json").read_text()
        assert '"days": 30' in text
        return heard.get(timeout=60)

    event = on_machine(test).configuration_update_event
    assert (event.component_name, event.key_path) == ("com.test.Pos", ["retention"])


def test_a_component_may_not_give_itself_rights() -> None:
    def test(core: Core) -> None:
        with (
            Component(core, "com.test.Pos", {}) as client,
            pytest.raises(InvalidArgumentsError),
        ):
            client.update_configuration(key_path=[], value_to_merge=access(PUBSUB, "*", "*"))

    on_machine(test)


def test_messages_to_aws_iot_go_out_only_on_the_topics_the_recipe_names() -> None:
    sent: list[tuple[str, bytes, int]] = []

    class Link:
        def publish(self, topic: str, payload: bytes, qos: int = 1) -> bool:
            sent.append((topic, payload, qos))
            return True

        async def listen(self, topic_filter: str, handler: Any, qos: int = 1) -> None:
            handler("greentill/commands/now", b"doctor")

        async def forget(self, topic_filter: str, handler: Any) -> None:
            return

    def test(core: Core) -> Any:
        heard: queue.Queue[Any] = queue.Queue()
        core.pubsub.link = Link()
        rights = {
            "accessControl": {
                MQTT_PROXY: {
                    "out": {
                        "operations": ["aws.greengrass#PublishToIoTCore"],
                        "resources": ["greentill/+/heartbeat"],
                    },
                    "in": {
                        "operations": ["aws.greengrass#SubscribeToIoTCore"],
                        "resources": ["greentill/commands/#"],
                    },
                }
            }
        }
        with Component(core, "com.test.Heart", rights) as client:
            client.publish_to_iot_core(topic_name="greentill/x/heartbeat", qos="1", payload=b"{}")
            with pytest.raises(UnauthorizedError):
                client.publish_to_iot_core(topic_name="greentill/x/other", qos="1", payload=b"{}")
            client.subscribe_to_iot_core(
                topic_name="greentill/commands/#", qos="1", on_stream_event=heard.put
            )
            return heard.get(timeout=60)

    event = on_machine(test)
    assert sent == [("greentill/x/heartbeat", b"{}", 1)]
    assert (event.message.topic_name, event.message.payload) == ("greentill/commands/now", b"doctor")


def test_a_component_is_asked_before_an_update_and_its_deferral_is_heard() -> None:
    def test(core: Core) -> Any:
        events: queue.Queue[Any] = queue.Queue()
        loop_calls: queue.Queue[Any] = queue.Queue()
        with Component(core, "com.test.Pos", {}) as client:
            client.subscribe_to_component_updates(on_stream_event=events.put)
            core.loop.call_soon_threadsafe(
                lambda: loop_calls.put(core.updates.ask("deployment-1", {"com.test.Pos", "com.test.Quiet"}))
            )
            asked = loop_calls.get(timeout=60)
            event = events.get(timeout=60).pre_update_event
            client.defer_component_update(deployment_id=event.deployment_id, recheck_after_ms=2500)
            with pytest.raises(ServiceError):
                client.defer_component_update(deployment_id="another", recheck_after_ms=1)
            return asked, event.deployment_id, core.updates.answers()

    asked, deployment, answers = on_machine(test)
    assert asked == {"com.test.Pos"}
    assert deployment == "deployment-1"
    assert answers == {"com.test.Pos": 2500.0}


def test_a_component_reports_that_it_runs_or_fails() -> None:
    def test(core: Core) -> None:
        with Component(core, "com.test.Pos", {}) as client:
            client.update_state(state=ReportedLifecycleState.RUNNING)
            with pytest.raises(InvalidArgumentsError):
                client.update_state(state="SLEEPING")

    on_machine(test)


def test_a_call_that_is_not_offered_is_refused_and_the_connection_lives_on() -> None:
    def test(core: Core) -> None:
        with Component(core, "com.test.Pos", {"a": "b"}) as client:
            with pytest.raises(ServiceError):
                client.list_components()
            assert client.get_configuration().value == {"a": "b"}

    on_machine(test)
