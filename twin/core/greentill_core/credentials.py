"""Token exchange: the till's temporary credentials, cached, and offered to components on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from .errors import DeploymentError, NotReachableError

RENEW_SECONDS = 300.0  # before they end
PATH = "/2016-11-01/credentialprovider/"
_REQUEST_SECONDS = 10


class Credentials:
    """Fetches when asked, and not again until shortly before the end."""

    def __init__(self, fetch: Callable[[], Mapping[str, str]], now: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = asyncio.Lock()
        self._kept: Mapping[str, str] = {}
        self._until = 0.0

    async def get(self) -> Mapping[str, str]:
        """As the credentials endpoint answers; raises NotReachableError or DeploymentError (refused)."""
        async with self._lock:
            if self._now() >= self._until - RENEW_SECONDS:
                try:
                    fresh = await asyncio.to_thread(self._fetch)
                except NotReachableError:
                    if self._now() < self._until:
                        return self._kept
                    raise
                self._kept = fresh
                self._until = datetime.fromisoformat(fresh["expiration"].replace("Z", "+00:00")).timestamp()
            return self._kept


class TokenExchangeServer:
    """The address in AWS_CONTAINER_CREDENTIALS_FULL_URI; each component has a token of its own."""

    def __init__(self, credentials: Credentials, log: logging.Logger) -> None:
        self._credentials = credentials
        self._log = log
        self._tokens: set[str] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("not started")
        return f"http://localhost:{self._server.sockets[0].getsockname()[1]}{PATH}"

    def issue(self) -> str:
        """A token for a component's AWS_CONTAINER_AUTHORIZATION_TOKEN."""
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return token

    def revoke(self, token: str) -> None:
        self._tokens.discard(token)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_SECONDS)
            status, body = await self._answer(head.decode("latin-1"))
            text = json.dumps(body)
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
            )
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self._log.warning("a request for credentials broke off: %s", error)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, head: str) -> tuple[str, dict[str, Any]]:
        first, *lines = head.split("\r\n")
        headers = {
            key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)
        }
        if headers.get("authorization") not in self._tokens:
            return "403 Forbidden", {"message": "wrong token"}
        if first.split(" ")[:2] != ["GET", PATH]:
            return "404 Not Found", {"message": "no such path"}
        try:
            found = await self._credentials.get()
        except (NotReachableError, DeploymentError) as error:
            self._log.warning("no credentials: %s", error)
            return "500 Internal Server Error", {"message": str(error)}
        return "200 OK", {
            "AccessKeyId": found["accessKeyId"],
            "SecretAccessKey": found["secretAccessKey"],
            "Token": found["sessionToken"],
            "Expiration": found["expiration"],
        }
