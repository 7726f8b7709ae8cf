"""Connections that say little for long are ended: a till has few terminals and none of them is slow.

Where there are too many, the one that has been quiet longest makes room: whoever holds connections open
keeps nobody else out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 15.0  # from the first byte of a request to its last
LARGEST_HEAD = 16_384  # bytes of request line and headers
MOST_CONNECTIONS = 128  # of a listener
MOST_OF_ADDRESS = 32  # on the shop's network; on loopback everybody has the same


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a time limit for receiving a request, and limits on heads and connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head: int | None = 0  # bytes of it so far; None once it is complete
        self._since = self.loop.time()  # its last word

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._make_room()
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
        self._since = self.loop.time()
        self._cancel()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        there = [one for one in self.connections if isinstance(one, BoundedProtocol)]
        if self.scheme == "https":
            _end_quietest((one for one in there if self._neighbour(one)), MOST_OF_ADDRESS)
        _end_quietest(there, MOST_CONNECTIONS)

    def _neighbour(self, other: BoundedProtocol) -> bool:
        """Whether both are of one device."""
        return (other.client or ("",))[0] == (self.client or ("",))[0]

    def quietness(self) -> tuple[bool, float]:
        """Least for the one that would be missed least: whoever waits for an answer is the last to go."""
        answering = self._head == 0 and self.cycle is not None and not self.cycle.response_complete
        return answering, self._since

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


def _end_quietest(connections: Iterable[BoundedProtocol], most: int) -> None:
    there = sorted(connections, key=BoundedProtocol.quietness)
    for one in there[: max(0, len(there) - most)]:
        one.connections.discard(one)
        one.transport.abort()
