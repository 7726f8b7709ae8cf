"""The listener for terminals on the shop's network: the same application, over TLS, behind the gate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from . import addresses
from .authority import Authority
from .door import Door
from .errors import AuthorityError
from .slow_clients import BoundedProtocol

_RETRY_SECONDS = 30.0
_WAITING = 128  # callers that the kernel keeps for the door
_LOOK_SECONDS = 600.0  # whether the certificate must be renewed, or an address is new
_log = logging.getLogger("pos.lan")


class _Server(uvicorn.Server):
    """Serves whom the door lets in; it has no listening sockets of its own."""

    def __init__(
        self, configuration: uvicorn.Config, listening: socket.socket, context: ssl.SSLContext
    ) -> None:
        super().__init__(configuration)
        self._listening = listening
        self._door = Door(listening, context, self._protocol)
        self._letting_in: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._letting_in = asyncio.create_task(self._door.run())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._letting_in is not None:
            self._letting_in.cancel()
            await asyncio.gather(self._letting_in, return_exceptions=True)
        self._listening.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return BoundedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the listener on loopback has them


class LanListener:
    """Serves until stopped; what keeps it from that is logged, and tried again. Loopback doesn't notice."""

    def __init__(
        self, app: ASGIApp, authority: Authority, *, host: str, port: int, names: tuple[str, ...], till: str
    ) -> None:
        self._app = app
        self._authority = authority
        self._host = host
        self._port = port
        self._more_names = names
        self._till = till
        self._said = ""

    async def run(self) -> None:
        while True:
            try:
                context = await asyncio.to_thread(self._prepare, None)
                listening = await asyncio.to_thread(self._listen)  # a name is looked up, which may take long
            except (AuthorityError, OSError) as error:
                self._say(str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            await self._serve(context, listening)

    async def _serve(self, context: ssl.SSLContext, listening: socket.socket) -> None:
        server = _Server(self._configuration(), listening, context)
        renewal = asyncio.create_task(self._renew(context))
        serving = asyncio.create_task(server.serve(sockets=[]))
        _log.info("terminals reach this till at https://%s:%d", self._names()[0], self._port)
        try:
            await asyncio.shield(serving)
        finally:
            renewal.cancel()
            server.should_exit = True
            await serving

    async def _renew(self, context: ssl.SSLContext) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await asyncio.to_thread(self._prepare, context)
            except AuthorityError as error:
                self._say(str(error))

    def _prepare(self, context: ssl.SSLContext | None) -> ssl.SSLContext:
        self._authority.prepare(self._till, self._names())
        if context is None:
            return self._authority.context()
        self._authority.load_into(context)
        return context

    def _names(self) -> tuple[str, ...]:
        return addresses.names(self._host, self._more_names) or (socket.gethostname(),)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setblocking(False)
            listening.bind((self._host, self._port))
            listening.listen(_WAITING)
        except (OSError, ValueError, TypeError) as error:  # what is no host at all fails in its own ways
            listening.close()
            why = getattr(error, "strerror", None) or error
            raise OSError(f"{self._host}:{self._port} cannot be listened on: {why}") from error
        return listening

    def _configuration(self) -> uvicorn.Config:
        configuration = uvicorn.Config(
            self._app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        configuration.load()
        return configuration

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            _log.error("terminals on the network cannot be served: %s", text)
