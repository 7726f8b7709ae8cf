"""Greengrass IPC: an event-stream RPC server on a Unix socket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import frames
from .frames import Flags, Frame, FrameError, MessageType

_JSON = "application/json"


class IpcError(Exception):
    """What a caller gets; `shape` is the name of an error of the Greengrass IPC model."""

    def __init__(self, shape: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.shape = shape
        self.body = {"message": message, **more}


@dataclass(eq=False)
class Stream:
    """One call: its answer, and for subscriptions the events that follow."""

    connection: Connection
    number: int
    ended: list[Callable[[], None]] = field(default_factory=list)
    early: list[Frame] | None = field(default_factory=list)  # events that came before the answer was out

    @property
    def component(self) -> str:
        return self.connection.component

    def send(self, shape: str, body: Mapping[str, Any]) -> None:
        """An event; a caller that is gone hears nothing."""
        event = _message(self.number, shape, body)
        if self.early is None:
            self.connection.send(event)
        else:
            self.early.append(event)

    def answered(self) -> None:
        """The answer is out: now events may follow."""
        for event in self.early or ():
            self.connection.send(event)
        self.early = None


Operation = Callable[[Stream, dict[str, Any]], Awaitable[tuple[str, dict[str, Any]]]]


def _message(
    stream: int,
    shape: str,
    body: Mapping[str, Any],
    kind: MessageType = MessageType.APPLICATION_MESSAGE,
    flags: Flags = Flags.NONE,
) -> Frame:
    headers = {"service-model-type": f"aws.greengrass#{shape}", ":content-type": _JSON}
    return Frame(kind, stream, flags, headers, json.dumps(body).encode())


class Connection:
    """One component's connection; it is nobody until its token was accepted."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.component = ""
        self.streams: dict[int, Stream] = {}
        self._writer = writer

    def send(self, frame: Frame) -> None:
        if not self._writer.is_closing():
            self._writer.write(frames.encode(frame))

    def end_stream(self, number: int) -> None:
        stream = self.streams.pop(number, None)
        if stream is not None:
            for callback in stream.ended:
                callback()

    async def close(self) -> None:
        for number in list(self.streams):
            self.end_stream(number)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class IpcServer:
    """Accepts components by token and gives their calls to `operations` (name without namespace)."""

    def __init__(self, path: Path, operations: Mapping[str, Operation], log: logging.Logger) -> None:
        self.path = path
        self._operations = operations
        self._log = log
        self._tokens: dict[str, str] = {}
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))
        self.path.chmod(0o666)  # the token is what admits; classic leaves the socket open to its group

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for call in list(self._calls):
            call.cancel()
        self.path.unlink(missing_ok=True)

    def admit(self, token: str, component: str) -> None:
        """Let whoever brings this token speak for the component."""
        self._tokens[token] = component

    def dismiss(self, token: str) -> None:
        self._tokens.pop(token, None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        try:
            while (frame := await frames.read(reader)) is not None:
                if not self._handle(connection, frame):
                    break
                await writer.drain()
        except (FrameError, OSError, asyncio.IncompleteReadError) as error:
            self._log.warning("IPC with %s broke off: %s", connection.component or "a stranger", error)
        finally:
            await connection.close()

    def _handle(self, connection: Connection, frame: Frame) -> bool:
        """Whether the connection goes on."""
        if frame.type is MessageType.CONNECT:
            self._connect(connection, frame)
            return True  # a refused client reads why, and closes
        if not connection.component:
            return False
        if frame.type is MessageType.PING:
            connection.send(Frame(MessageType.PING_RESPONSE, payload=frame.payload))
        elif frame.type is MessageType.APPLICATION_MESSAGE and frame.stream not in connection.streams:
            stream = connection.streams[frame.stream] = Stream(connection, frame.stream)
            call = asyncio.create_task(self._call(stream, frame))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        if Flags.TERMINATE_STREAM in frame.flags:
            connection.end_stream(frame.stream)
        return True

    def _connect(self, connection: Connection, frame: Frame) -> None:
        try:
            token = json.loads(frame.payload)["authToken"]
        except (ValueError, KeyError, TypeError):
            token = ""
        connection.component = self._tokens.get(token, "")
        accepted = Flags.CONNECTION_ACCEPTED if connection.component else Flags.NONE
        connection.send(Frame(MessageType.CONNECT_ACK, flags=accepted))
        if not connection.component:
            self._log.warning("IPC refused a connection with an unknown token")

    async def _call(self, stream: Stream, frame: Frame) -> None:
        name = str(frame.headers.get("operation", "")).rpartition("#")[2]
        try:
            operation = self._operations.get(name, _not_offered)
            shape, body = await operation(stream, _request(frame))
        except IpcError as error:
            self._log.info("IPC %s by %s: %s, %s", name, stream.component, error.shape, error)
            failed, end = MessageType.APPLICATION_ERROR, Flags.TERMINATE_STREAM
            stream.connection.send(_message(stream.number, error.shape, error.body, failed, end))
            stream.connection.end_stream(stream.number)
            return
        stays = bool(stream.ended)
        flags = Flags.NONE if stays else Flags.TERMINATE_STREAM
        stream.connection.send(_message(stream.number, shape, body, flags=flags))
        stream.answered()
        if not stays:
            stream.connection.end_stream(stream.number)


async def _not_offered(_stream: Stream, _body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    raise IpcError("ServiceError", "this call is not offered here")


def _request(frame: Frame) -> dict[str, Any]:
    try:
        return dict(json.loads(frame.payload or b"{}"))
    except (ValueError, TypeError) as error:
        raise IpcError("InvalidArgumentsError", f"the request is not a JSON object: {error}") from error
