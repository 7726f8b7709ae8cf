"""Read the server name that a TLS client asks for (RFC 8446, RFC 6066), as an onlooker."""

import asyncio

HANDSHAKE = 22
CLIENT_HELLO = 1
SERVER_NAME = 0
MAX_RECORD = 16384
MAX_HELLO = 65536


async def read_hello(reader: asyncio.StreamReader) -> tuple[bytes, str | None]:
    """All bytes taken from `reader`, to be forwarded, and the name asked for; None when there is none.

    Raises asyncio.IncompleteReadError when the client leaves before its hello is complete.
    """
    seen, message = bytearray(), bytearray()
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4]):
        header = await reader.readexactly(5)
        seen += header
        length = int.from_bytes(header[3:5])
        if header[0] != HANDSHAKE or length > MAX_RECORD or len(message) > MAX_HELLO:
            return bytes(seen), None
        body = await reader.readexactly(length)
        seen += body
        message += body
    return bytes(seen), server_name(bytes(message))


def server_name(message: bytes) -> str | None:
    """The name in a complete ClientHello handshake message; None when it has none or is malformed."""
    try:
        return _server_name(_Fields(message))
    except (EOFError, UnicodeDecodeError):
        return None


def _server_name(fields: "_Fields") -> str | None:
    if fields.number(1) != CLIENT_HELLO:
        return None
    fields.take(3 + 2 + 32)  # length, version, random
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        fields.vector(width)
    extensions = _Fields(fields.vector(2))
    while extensions.left:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind == SERVER_NAME:
            names = _Fields(_Fields(body).vector(2))
            names.take(1)  # host_name is the only type there is
            return names.vector(2).decode("ascii").lower()
    return None


class _Fields:
    """Reads length-prefixed fields one after another; EOFError where they end too soon."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, count: int) -> bytes:
        if len(self.left) < count:
            raise EOFError
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width))

    def vector(self, width: int) -> bytes:
        return self.take(self.number(width))
