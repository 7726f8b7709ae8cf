"""A line of limited rate and some delay that can be cut, between processes and a port on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

_CHUNK = 4_096
_WAITING = 64  # chunks on their way per connection and direction, which bounds memory


class Relay:
    """Forwards TCP connections from `port` on 127.0.0.1; both directions share nothing but the cut."""

    def __init__(
        self, upstream: tuple[str, int], *, bytes_per_second: float = 0.0, delay_seconds: float = 0.0
    ) -> None:
        self._upstream = upstream
        self._rate = bytes_per_second
        self._delay = delay_seconds
        self._up = True
        self._free_at = {"up": 0.0, "down": 0.0}
        self._open: set[asyncio.StreamWriter] = set()
        self.bytes = {"up": 0, "down": 0}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """What is on its way is lost, connections break, new ones are refused an answer."""
        self._do(self._cut())

    def restore(self) -> None:
        self._up = True

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _cut(self) -> None:
        self._up = False
        for writer in list(self._open):
            writer.transport.abort()
        self._open.clear()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        carrying = asyncio.all_tasks() - {asyncio.current_task()}
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump("up", reader, far_writer), self._pump("down", far_reader, writer))
        finally:
            for one in (writer, far_writer):
                self._open.discard(one)
                one.close()

    async def _pump(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        sender = asyncio.create_task(self._send(way, waiting, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await waiting.put((self._arrival(way, len(data)), data))
        await waiting.put((0.0, b""))
        await sender

    def _arrival(self, way: str, size: int) -> float:
        """When the last byte of a chunk that is sent now is at the other end."""
        now = self._loop.time()
        if self._rate:
            self._free_at[way] = max(now, self._free_at[way]) + size / self._rate
            now = self._free_at[way]
        return now + self._delay

    async def _send(
        self, way: str, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await waiting.get()
                if not data:
                    writer.write_eof() if writer.can_write_eof() else writer.close()
                    return
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                writer.write(data)
                await writer.drain()
                self.bytes[way] += len(data)
        writer.transport.abort()
        while (await waiting.get())[1]:  # so that the reader ends too
            pass
