"""Everything about who may use the till, in one place for the HTTP calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from starlette.types import ASGIApp

from . import addresses
from .authority import Authority
from .cashiers import Cashiers
from .gate import Gate
from .lan import LanListener
from .pins import Pins
from .sign_in import SignIn
from .terminals import Codes, Terminals


class AccessSettings(Protocol):
    """What it needs of the till's settings; an empty `lan_host` leaves the network listener off."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def lan_host(self) -> str: ...
    @property
    def lan_port(self) -> int: ...
    @property
    def lan_names(self) -> tuple[str, ...]: ...
    @property
    def cashiers(self) -> Mapping[str, Mapping[str, str]]: ...


class Access:
    """Cashiers, terminals and the listener for the shop's network."""

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        self._pins = Pins()
        self.cashiers = Cashiers(cashiers_path(settings.data_dir), settings.cashiers)
        self.sign_in = SignIn(self.cashiers, self._pins)
        self.codes = Codes()
        self.terminals = Terminals(settings.data_dir / "terminals.json")
        self.authority = Authority(settings.data_dir / "tls")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moved = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    def approves(self, supervisor: str) -> bool:
        """Whether what needs a supervisor may be done in this name.

        A till that knows no cashiers cannot check; it takes the name that it is given.
        """
        return self.sign_in.approves(supervisor) or not self.cashiers.any()

    def lan_url(self) -> str | None:
        """Where terminals on the network find this till; None while that is off."""
        settings = self._settings
        if not settings.lan_host:
            return None
        names = addresses.names(settings.lan_host, settings.lan_names)
        return f"https://{names[0]}:{settings.lan_port}" if names else None

    def use(self, settings: AccessSettings) -> None:
        """Go on with changed settings; from any thread."""
        moved = _lan(settings) != _lan(self._settings)
        self._settings = settings
        self.cashiers.configure(settings.cashiers)
        if moved and self._loop is not None:
            self._loop.call_soon_threadsafe(self._moved.set)

    def start(self, app: ASGIApp) -> None:
        """Serve terminals on the network while the settings say so; within a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._listening = asyncio.create_task(self._listen(app))

    async def stop(self) -> None:
        if self._listening is not None:
            await _end(self._listening)
        self._pins.close()

    async def _listen(self, app: ASGIApp) -> None:
        while True:
            self._moved.clear()
            serving = asyncio.create_task(self._listener(app).run()) if self._settings.lan_host else None
            try:
                await self._moved.wait()
            finally:
                if serving is not None:
                    await _end(serving)

    def _listener(self, app: ASGIApp) -> LanListener:
        settings = self._settings
        return LanListener(
            Gate(app, self.terminals.known),
            self.authority,
            host=settings.lan_host,
            port=settings.lan_port,
            names=settings.lan_names,
            till=addresses.names("127.0.0.1", ())[-1],
        )


def _lan(settings: AccessSettings) -> tuple[str, int, tuple[str, ...]]:
    return settings.lan_host, settings.lan_port, settings.lan_names


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def cashiers_path(data_dir: Path) -> Path:
    return data_dir / "cashiers.json"
