"""One forwarded connection: copies both ways until both sides have ended."""

import asyncio
import socket
import struct
from collections.abc import Callable

CHUNK = 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Counter = Callable[[int], None]
End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """A till's connection and its continuation to the cloud (or a terminal's and its to the till)."""

    def __init__(self, near: End, far: End, count_up: Counter, count_down: Counter) -> None:
        self._near, self._far = near, far
        self._count_up, self._count_down = count_up, count_down

    async def run(self) -> None:
        """Copy until both sides have ended or one breaks; then both are closed."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(self._near[0], self._far[1], self._count_up))
                group.create_task(_copy(self._far[0], self._near[1], self._count_down))
        except* OSError:
            self.reset()
        finally:
            self._near[1].close()
            self._far[1].close()

    def reset(self) -> None:
        """End both connections with a reset, as a router does that no longer knows them."""
        reset(self._near[1])
        reset(self._far[1])


def reset(writer: asyncio.StreamWriter) -> None:
    """Close at once with a TCP reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Counter) -> None:
    while data := await reader.read(CHUNK):
        count(len(data))
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
