"""Connections that say little for long are ended: a till has few terminals and none of them is slow."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 15.0  # from the first byte of a request to its last
LARGEST_HEAD = 16_384  # bytes of request line and headers
MOST_CONNECTIONS = 128


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a time limit for receiving a request, and limits on heads and connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head: int | None = 0  # bytes of it so far; None once it is complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._head is not None:
            self._expect_request()
        if self._head is None:
            super().data_received(data)
            return
        room = max(0, LARGEST_HEAD - self._head)
        self._head += len(data)
        super().data_received(data[:room])
        if self._head is not None and self._head > LARGEST_HEAD:
            self.transport.abort()
        elif data[room:] and not self.transport.is_closing():
            super().data_received(data[room:])

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head = 0
        self._cancel()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.abort()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
