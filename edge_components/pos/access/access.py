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
        self._listener: asyncio.Task[None] | None = None

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

    def start(self, app: ASGIApp) -> None:
        """Serve terminals on the network, if the settings say so; within a running event loop."""
        settings = self._settings
        if not settings.lan_host:
            return
        listener = LanListener(
            Gate(app, self.terminals.known),
            self.authority,
            host=settings.lan_host,
            port=settings.lan_port,
            names=settings.lan_names,
            till=addresses.names("127.0.0.1", ())[-1],
        )
        self._listener = asyncio.create_task(listener.run())

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
        self._pins.close()


def cashiers_path(data_dir: Path) -> Path:
    return data_dir / "cashiers.json"
