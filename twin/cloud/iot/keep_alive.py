"""Clients that have gone without a word: the emulator waits for them for ever, AWS IoT doesn't.

MQTT 3.1.1, 3.1.2.10 (and 5.0): one that sends no packet for one and a half times its keep-alive has lost
its connection. AWS IoT takes 1,200 s for who names none, or a longer one.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from ministack.services import iot

LONGEST_SECONDS = 1_200
GRACE = 1.5
REASON = "MQTT_KEEP_ALIVE_TIMEOUT"  # AWS's word in the presence event
KEEP_ALIVE_BYTES = 2


def install() -> None:
    """Watch every session, from its CONNECT to its end."""
    handle, clean_up = iot._WSSession.handle_packet, iot._WSSession.cleanup
    watches: weakref.WeakKeyDictionary[Any, _Watch] = weakref.WeakKeyDictionary()

    async def handle_packet(session: Any, kind: int, flags: int, body: bytes) -> bool:
        if kind == iot.PKT_CONNECT and (seconds := keep_alive(body)) is not None:
            watches[session] = _Watch(session, seconds)
        if session in watches:
            watches[session].hear()
        goes_on: bool = await handle(session, kind, flags, body)
        return goes_on

    async def cleanup(session: Any) -> None:
        if session in watches:
            watches.pop(session).stop()
        await clean_up(session)

    iot._WSSession.handle_packet = handle_packet
    iot._WSSession.cleanup = cleanup


def keep_alive(connect: bytes) -> int | None:
    """Seconds that a CONNECT packet asks for, as AWS IoT takes them; None where it is cut short.

    Its body: the protocol's name (a length, then as many bytes), its level, flags, the keep-alive.
    """
    at = 2 + int.from_bytes(connect[:2], "big") + 2
    if len(connect) < at + KEEP_ALIVE_BYTES:
        return None
    asked = int.from_bytes(connect[at : at + KEEP_ALIVE_BYTES], "big")
    return min(asked or LONGEST_SECONDS, LONGEST_SECONDS)


class _Watch:
    def __init__(self, session: Any, seconds: int) -> None:
        self._session: Any = weakref.proxy(session)
        self._patience = seconds * GRACE
        self._timer: asyncio.TimerHandle | None = None
        self._end: asyncio.Task[None] | None = None

    def hear(self) -> None:
        """The client has sent something."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._give_up)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self) -> None:
        self._end = asyncio.get_running_loop().create_task(self._disconnect())

    async def _disconnect(self) -> None:
        """Its end is told first: the other side may never answer the closing of its connection."""
        self._session._forced_disconnect_reason = REASON
        await self._session.cleanup()
        await self._session._send({"type": "websocket.close", "code": 1000})
