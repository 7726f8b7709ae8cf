"""What components say to a nucleus is what AWS's own library says, byte for byte where it matters."""

from __future__ import annotations

import base64
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import awsiot.greengrasscoreipc
import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import QOS, BinaryMessage, PublishMessage
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from edge_components.edgekit import eventstream, ipc
from edge_components.edgekit.eventstream import Message, MessageError

APPLICATION, ERROR, PING, PING_ANSWER, CONNECT, CONNECT_ANSWER = range(6)
LAST = 2


def message(kind: int, stream: int, payload: Any = b"", flags: int = 0, **headers: Any) -> bytes:
    own: dict[str, Any] = {":message-type": kind, ":message-flags": flags, ":stream-id": stream}
    if kind == APPLICATION:
        own |= {":content-type": "application/json"}
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return eventstream.encode(Message({**own, **headers}, content))


class Nucleus:
    """Listens on a socket, keeps what it hears, answers by a script."""

    def __init__(self, path: Path, answer: Callable[[Message], list[bytes]]) -> None:
        self.heard: list[Message] = []
        self._answer = answer
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = bytearray()
        with suppress(OSError):
            while part := connection.recv(65_536):
                buffer += part
                while len(buffer) >= 12 and len(buffer) >= (size := eventstream.length(bytes(buffer[:12]))):
                    one = eventstream.decode(bytes(buffer[:size]))
                    del buffer[:size]
                    self.heard.append(one)
                    for answer in self._answer(one):
                        connection.sendall(answer)

    def close(self) -> None:
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.close()


def by_script(one: Message) -> list[bytes]:
    """Accepts, answers what is asked, and sends one event to each subscription."""
    if one.headers[":message-type"] == CONNECT:
        return [message(CONNECT_ANSWER, 0, flags=1)]
    number = int(one.headers[":stream-id"])
    operation = str(one.headers.get("operation", "")).partition("#")[2]
    shape: dict[str, Any] = {"service-model-type": f"aws.greengrass#{operation}Response"}
    if operation == "GetConfiguration":
        return [message(APPLICATION, number, {"componentName": "c", "value": {"a": 1}}, LAST, **shape)]
    if operation == "SubscribeToComponentUpdates":
        update = {"deploymentId": "d", "isGgcRestarting": False}
        kind: dict[str, Any] = {"service-model-type": "aws.greengrass#ComponentUpdatePolicyEvents"}
        odd: tuple[Any, ...] = (
            "text",
            ["d"],
            {},
            {"deploymentId": None},
            {"deploymentId": {}},
            7,
        )  # nothing ends the stream
        events = [message(APPLICATION, number, {"preUpdateEvent": one}, **kind) for one in (*odd, update)]
        return [message(APPLICATION, number, {}, **shape), *events]
    if operation == "SubscribeToIoTCore":
        heard = {"message": {"topicName": "a/topic", "payload": base64.b64encode(b"hello").decode()}}
        came: dict[str, Any] = {"service-model-type": "aws.greengrass#IoTCoreMessage"}
        return [message(APPLICATION, number, {}, **shape), message(APPLICATION, number, heard, **came)]
    if operation == "SubscribeToTopic":
        wrong: dict[str, Any] = {"service-model-type": "aws.greengrass#UnauthorizedError"}
        return [message(ERROR, number, {"message": "not allowed"}, LAST, **wrong)]
    return [message(APPLICATION, number, {}, LAST, **shape)]


@pytest.fixture
def nucleus(tmp_path: Path) -> Iterator[tuple[Nucleus, str]]:
    path = tmp_path / "ipc.socket"
    running = Nucleus(path, by_script)
    yield running, str(path)
    running.close()


def connected(path: str) -> ipc.Ipc:
    found = ipc.connect({ipc.SOCKET_VARIABLE: path, ipc.TOKEN_VARIABLE: "token"})
    assert found is not None
    return found


def said(nucleus: Nucleus) -> list[tuple[dict[str, Any], Any]]:
    return [(dict(sorted(one.headers.items())), json.loads(one.payload or b"null")) for one in nucleus.heard]


def test_requests_are_what_the_library_of_aws_sends(tmp_path):
    ours = Nucleus(tmp_path / "ours", by_script)
    theirs = Nucleus(tmp_path / "theirs", by_script)
    mine = connected(str(tmp_path / "ours"))
    mine.configuration()
    mine.publish_local("a/topic", {"b": "c"})
    mine.watch_configuration(lambda: None)
    mine.publish_cloud("a/topic", b"{}")
    mine.subscribe_cloud("a/topic", lambda _payload: None, lambda: None)
    mine.close()
    other = GreengrassCoreIPCClientV2(
        awsiot.greengrasscoreipc.connect(ipc_socket=str(tmp_path / "theirs"), authtoken="token", timeout=60)
    )
    other.get_configuration()
    content = PublishMessage(binary_message=BinaryMessage(message=json.dumps({"b": "c"}).encode()))
    other.publish_to_topic(topic="a/topic", publish_message=content)
    other.subscribe_to_configuration_update(on_stream_event=lambda _: None)
    other.publish_to_iot_core(topic_name="a/topic", qos=QOS.AT_LEAST_ONCE, payload=b"{}")
    other.subscribe_to_iot_core(topic_name="a/topic", qos=QOS.AT_LEAST_ONCE, on_stream_event=lambda _: None)
    other.close()
    assert said(ours) == said(theirs)[: len(ours.heard)]
    assert len(ours.heard) == 6
    for one in (ours, theirs):
        one.close()


def test_a_message_from_the_cloud_is_heard_as_it_was_sent(nucleus):
    _running, path = nucleus
    heard: queue.Queue[bytes] = queue.Queue()
    mine = connected(path)
    mine.subscribe_cloud("a/topic", heard.put, lambda: None)
    assert heard.get(timeout=60) == b"hello"
    mine.close()


@given(
    st.dictionaries(
        st.sampled_from(["operation", ":content-type", "x" * 255]),
        st.text("aé日", max_size=60) | st.integers(-(2**31), 2**31 - 1),
        max_size=6,
    ),
    st.binary(max_size=300),
)
def test_an_independent_reader_reads_what_was_written(headers, payload):
    buffer = EventStreamBuffer()
    written = eventstream.encode(Message(headers, payload))
    buffer.add_data(written)
    (read,) = list(buffer)
    assert (read.headers, read.payload) == (headers, payload)
    assert eventstream.decode(written) == Message(headers, payload)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_bit_anywhere_is_noticed(place, change):
    written = bytearray(message(APPLICATION, 7, {"a": "b"}, operation="x"))
    written[place % len(written)] ^= change
    with pytest.raises(MessageError):
        eventstream.decode(bytes(written))


def test_a_configuration_is_read_and_an_update_is_deferred_from_within_its_event(nucleus):
    running, path = nucleus
    mine = connected(path)
    assert mine.configuration() == {"a": 1}
    mine.watch_updates(lambda _deployment: 4_000)
    pause = threading.Event()
    for _ in range(6_000):
        if running.heard[-1].payload and b"recheckAfterMs" in running.heard[-1].payload:
            break
        pause.wait(0.02)
    assert json.loads(running.heard[-1].payload) == {"deploymentId": "d", "recheckAfterMs": 4_000}
    mine.close()


def test_a_refusal_is_an_error_in_a_sentence_and_not_a_lost_subscription(nucleus):
    lost = threading.Event()
    mine = connected(nucleus[1])
    with pytest.raises(ipc.IpcError, match="SubscribeToTopic failed: UnauthorizedError: not allowed"):
        mine.subscribe_local("t", lambda: None, lost.set)
    mine.close()
    assert not lost.is_set()


def test_a_wrong_token_is_said_so(tmp_path):
    refusing = Nucleus(tmp_path / "s", lambda _one: [message(CONNECT_ANSWER, 0)])
    with pytest.raises(ipc.IpcError, match="does not know this component's token"):
        connected(str(tmp_path / "s"))
    refusing.close()


def test_a_nucleus_that_goes_away_ends_subscriptions_and_calls(tmp_path):
    def answer(one: Message) -> list[bytes]:
        if one.headers[":message-type"] == CONNECT:
            return [message(CONNECT_ANSWER, 0, flags=1)]
        return [message(APPLICATION, int(one.headers[":stream-id"]), {})]

    running = Nucleus(tmp_path / "s", answer)
    mine = connected(str(tmp_path / "s"))
    lost = threading.Event()
    mine.subscribe_local("t", lambda: None, lost.set)
    running.close()
    assert lost.wait(120)
    with pytest.raises(ipc.IpcError):
        mine.configuration()
    mine.close()


def test_a_ping_is_answered_with_what_it_carried(tmp_path):
    def answer(one: Message) -> list[bytes]:
        if one.headers[":message-type"] == CONNECT:
            return [message(CONNECT_ANSWER, 0, flags=1), message(PING, 0, b"{}")]
        return by_script(one) if one.headers[":message-type"] == APPLICATION else []

    running = Nucleus(tmp_path / "s", answer)
    mine = connected(str(tmp_path / "s"))
    mine.configuration()
    mine.close()
    pongs = [one for one in running.heard if one.headers[":message-type"] == PING_ANSWER]
    assert [one.payload for one in pongs] == [b"{}"]
    running.close()
