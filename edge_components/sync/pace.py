"""Sending no faster than a metered or shared link should carry, and in pieces that a slow one can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

PIECE = 16 * 1024  # bytes: each piece has the time limit to itself, so a slow link can carry a large body
AROUND = 900  # bytes of headers and TLS around a body, about
BURST_SECONDS = 1.0


class Pace:
    """A token bucket on bytes, shared by every request. Without a rate nothing waits."""

    def __init__(
        self,
        bytes_per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = (bytes_per_second or 0.0) * BURST_SECONDS
        self._filled = clock()

    @property
    def piece(self) -> int:
        """Bytes to send at a time: small enough that a slow pace is an even one."""
        return PIECE if self._rate is None else max(512, min(PIECE, int(self._rate / 4)))

    def take(self, count: int) -> None:
        """Wait until `count` bytes may go; a debt is paid by whoever comes next."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            filled = self._tokens + (now - self._filled) * self._rate
            self._tokens = min(filled, self._rate * BURST_SECONDS) - count
            self._filled = now
            wait = -self._tokens / self._rate
        if wait > 0:
            self._sleep(wait)

    def send(self, client: Any) -> None:
        """Make what a client sends keep this pace."""
        client.meta.events.register("before-send", self._before_send)

    def _before_send(self, request: Any, **_: Any) -> None:
        self.take(AROUND)
        body = request.body
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, bytes | bytearray) and (self._rate or len(body) > PIECE):
            request.body = _Paced(body, self)


class _Paced:
    """A body that is read piece by piece, as it may be sent."""

    def __init__(self, body: bytes | bytearray, pace: Pace) -> None:
        self._body = BytesIO(body)
        self._pace = pace

    def seek(self, offset: int, whence: int = 0) -> int:
        """botocore sends again from the beginning when S3 names another Region."""
        return self._body.seek(offset, whence)

    def tell(self) -> int:
        return self._body.tell()

    def read(self, size: int = -1) -> bytes:
        most = self._pace.piece
        piece = self._body.read(most if size < 0 else min(size, most))
        self._pace.take(len(piece))
        return piece
