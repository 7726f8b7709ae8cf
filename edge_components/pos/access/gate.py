"""What stands before the application on the shop's network: no token, no entry."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import answers

TERMINAL = "greentill.terminal"  # in the ASGI scope: the paired terminal that asks; absent on loopback
_LAN = "greentill.lan"
_PAIR = ("POST", "/v1/terminals/pair")
_PREFIX = "bearer "


class Gate:
    """Lets through what anybody may see (the page, how to trust the till, pairing) and paired terminals."""

    def __init__(self, app: ASGIApp, known: Callable[[str], str | None]) -> None:
        self._app = app
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        terminal = self._known(_token(scope))
        if terminal is None and not _open_to_all(scope):
            text = "this terminal is not paired with the till: ask for a code and pair it"
            answer = answers.error(401, "not_paired", text)
            answer.headers["WWW-Authenticate"] = "Bearer"
            await answer(scope, receive, send)
            return
        await self._app({**scope, _LAN: True, TERMINAL: terminal}, receive, send)


def on_till(request: Request) -> bool:
    """Whether somebody at the till itself asks: over loopback, and not a web page under another name."""
    if _LAN in request.scope:
        return False
    client = request.client.host if request.client else ""
    host = request.headers.get("host", "").rpartition("]")[0].lstrip("[") or _without_port(request)
    return _loopback(client) and (host == "localhost" or _loopback(host))


def terminal_of(request: Request) -> str | None:
    """The paired terminal that asks, None on loopback, where the body says which one it is."""
    found: Any = request.scope.get(TERMINAL)
    return found if isinstance(found, str) else None


def _without_port(request: Request) -> str:
    return request.headers.get("host", "").partition(":")[0]


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _token(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            text = value.decode("latin-1")
            if text.lower().startswith(_PREFIX):
                return str(text[len(_PREFIX) :].strip())
    return ""


def _open_to_all(scope: Scope) -> bool:
    method, path = scope["method"], scope["path"]
    if (method, path) == _PAIR:
        return True
    return method in ("GET", "HEAD") and not path.startswith("/v1/") and path != "/openapi.json"
