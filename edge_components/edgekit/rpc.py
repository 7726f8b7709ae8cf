"""Calls and subscriptions over one Greengrass IPC connection, each a numbered stream of messages."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import eventstream
from .eventstream import Message, MessageError

# The values of `:message-type` and `:message-flags`.
_APPLICATION, _APPLICATION_ERROR, _PING, _PING_ANSWER, _CONNECT, _CONNECT_ANSWER = range(6)
_ACCEPTED, _LAST = 1, 2
_NAMESPACE = "aws.greengrass#"

Answer = dict[str, Any]


class RpcError(Exception):
    """The connection failed, or the other side answered with an error."""


@dataclass(slots=True)
class _Stream:
    answer: Future[Answer] = field(default_factory=Future)
    heard: Callable[[Answer], None] | None = None
    ended: Callable[[], None] = lambda: None


class RpcConnection:
    """One connection to a nucleus; a thread of its own hears what comes. Everything raises RpcError."""

    def __init__(self, path: str, token: str, seconds: float) -> None:
        self._seconds = seconds
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}
        self._last = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(path)
            self._introduce(token)
            self._socket.settimeout(None)
        except (OSError, MessageError, RpcError) as error:
            self._socket.close()
            raise RpcError(str(error) or type(error).__name__) from error
        self._thread = threading.Thread(target=self._listen, name="ipc", daemon=True)
        self._thread.start()

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """The answer to one call."""
        return self._wait(self.send(operation, request))

    def send(self, operation: str, request: Mapping[str, Any]) -> Future[Answer]:
        """Call without waiting, as must be done from what `subscribe` calls."""
        return self._open(operation, request, _Stream()).answer

    def subscribe(
        self,
        operation: str,
        request: Mapping[str, Any],
        heard: Callable[[Answer], None],
        ended: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Call `heard` for each event, in the connection's thread, and `ended` once when no more can come."""
        return self._wait(self._open(operation, request, _Stream(heard=heard, ended=ended)).answer)

    def close(self) -> None:
        """End all streams; what waits fails, and nobody is told that a subscription ended."""
        for stream in list(self._streams.values()):
            stream.ended = lambda: None
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join(self._seconds)

    def _introduce(self, token: str) -> None:
        payload = json.dumps({"authToken": token}).encode()
        self._send(_CONNECT, 0, payload, {":version": "0.1.0"})
        answer = self._receive()
        if answer.headers.get(":message-type") != _CONNECT_ANSWER or not _flags(answer) & _ACCEPTED:
            raise RpcError("it does not know this component's token")

    def _open(self, operation: str, request: Mapping[str, Any], stream: _Stream) -> _Stream:
        headers = {
            "operation": f"{_NAMESPACE}{operation}",
            "service-model-type": f"{_NAMESPACE}{operation}Request",
            ":content-type": "application/json",
        }
        with self._sending:  # numbers must reach the other side in order
            self._last += 1
            self._streams[self._last] = stream
            try:
                self._send(_APPLICATION, self._last, json.dumps(request).encode(), headers)
            except OSError as error:
                del self._streams[self._last]
                raise RpcError(str(error)) from error
        return stream

    def _wait(self, answer: Future[Answer]) -> Answer:
        try:
            return answer.result(self._seconds)
        except TimeoutError as error:
            raise RpcError(f"no answer within {self._seconds:.0f} s") from error

    def _send(self, kind: int, stream: int, payload: bytes, headers: Mapping[str, str]) -> None:
        own = {":message-type": kind, ":message-flags": 0, ":stream-id": stream}
        self._socket.sendall(eventstream.encode(Message({**own, **headers}, payload)))

    def _receive(self) -> Message:
        prelude = self._exactly(eventstream.PRELUDE.size)
        return eventstream.decode(prelude + self._exactly(eventstream.length(prelude) - len(prelude)))

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise RpcError("the nucleus has closed the connection")
            parts += part
        return bytes(parts)

    def _listen(self) -> None:
        reason = "the connection ended"
        try:
            while True:
                self._take(self._receive())
        except (OSError, MessageError, RpcError) as error:
            reason = str(error)
        finally:
            self._socket.close()
            with self._sending:
                left, self._streams = list(self._streams.values()), {}
            for stream in left:
                _end(stream, reason)

    def _take(self, message: Message) -> None:
        kind = message.headers.get(":message-type")
        number = message.headers.get(":stream-id")
        if kind == _PING:
            with self._sending:
                self._send(_PING_ANSWER, 0, message.payload, {})
            return
        stream = self._streams.get(number) if isinstance(number, int) else None
        if stream is None:
            return
        if message.payload:
            _deliver(stream, kind, message)
        if kind != _APPLICATION or _flags(message) & _LAST:
            self._streams.pop(int(number or 0), None)
            _end(stream, "the stream ended")


def _deliver(stream: _Stream, kind: Any, message: Message) -> None:
    content = _json(message.payload)
    if kind != _APPLICATION:
        shape = str(message.headers.get("service-model-type", "an error")).removeprefix(_NAMESPACE)
        text = content.get("message") or content.get("_message") or ""
        if not stream.answer.done():
            stream.answer.set_exception(RpcError(f"{shape}: {text}" if text else shape))
    elif not stream.answer.done():
        stream.answer.set_result(content)
    elif stream.heard is not None:
        stream.heard(content)


def _end(stream: _Stream, reason: str) -> None:
    if not stream.answer.done():
        stream.answer.set_exception(RpcError(reason))
    elif stream.answer.exception() is None:
        stream.ended()


def _flags(message: Message) -> int:
    found = message.headers.get(":message-flags", 0)
    return found if isinstance(found, int) else 0


def _json(payload: bytes) -> Answer:
    try:
        found = json.loads(payload)
    except ValueError as error:
        raise MessageError(f"the payload is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}
