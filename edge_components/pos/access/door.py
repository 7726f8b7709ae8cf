"""The door to the TLS listener: a bounded number of callers may stand in it without having said who they are.

asyncio would take every caller in before its handshake, and hold each one's descriptor for a minute: a device
that opens a thousand connections would leave none for the till itself.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable

HANDSHAKE_SECONDS = 10.0
MOST = 64  # in the middle of a handshake
MOST_OF_ADDRESS = 8
_PAUSE_SECONDS = 1.0  # when the machine has no descriptors left
_log = logging.getLogger("pos.lan")


class Door:
    """Lets callers of one listening socket in, each through a handshake of its own."""

    def __init__(
        self, listening: socket.socket, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._listening = listening
        self._context = context
        self._protocol = protocol
        self._standing: Counter[str] = Counter()
        self._handshakes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; whoever stands in the door then is sent away."""
        try:
            while True:
                await self._next()
        finally:
            for handshake in self._handshakes:
                handshake.cancel()
            await asyncio.gather(*self._handshakes, return_exceptions=True)

    async def _next(self) -> None:
        try:
            connection, address = await asyncio.get_running_loop().sock_accept(self._listening)
        except OSError as error:
            _log.warning("a terminal on the network could not be let in: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        caller = str(address[0])
        if self._standing.total() >= MOST or self._standing[caller] >= MOST_OF_ADDRESS:
            connection.close()
            return
        self._standing[caller] += 1
        handshake = asyncio.create_task(self._shake_hands(connection))
        self._handshakes.add(handshake)
        handshake.add_done_callback(lambda done: self._leave(caller, done))

    async def _shake_hands(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError as error:  # of TLS and of time too
            _log.debug("no handshake: %s", error)

    def _leave(self, caller: str, done: asyncio.Task[None]) -> None:
        self._handshakes.discard(done)
        self._standing[caller] -= 1
        if not self._standing[caller]:
            del self._standing[caller]
