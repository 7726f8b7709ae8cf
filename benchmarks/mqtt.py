"""As much of MQTT 3.1.1 as it takes to publish at QoS 1 and to be handed what a session has kept."""

import socket
import struct
import time
from collections.abc import Iterator

TOPIC = b"sales"


class Client:
    """One connection; `clean` is whether the broker forgets the session with it."""

    def __init__(self, port: int, name: str, *, clean: bool) -> None:
        self._socket = _connect(port)
        self._number = 0
        self._waiting = b""
        header = b"\x00\x04MQTT\x04" + bytes([2 if clean else 0]) + struct.pack(">H", 60)
        self._send(0x10, header + _text(name.encode()))
        self._answer(2)

    def subscribe(self) -> None:
        self._send(0x82, b"\x00\x01" + _text(TOPIC) + b"\x01")
        self._answer(9)

    def publish(self, content: bytes) -> None:
        """Returns once the broker has acknowledged it."""
        self._number = self._number % 65_535 + 1
        self._send(0x32, _text(TOPIC) + struct.pack(">H", self._number) + content)
        self._answer(4)

    def kept(self, quiet_seconds: float) -> Iterator[bytes]:
        """What the broker hands over, each acknowledged, until it has been quiet for so long."""
        self._socket.settimeout(quiet_seconds)
        try:
            while True:
                kind, body = self._packet()
                if kind == 3:
                    length = struct.unpack(">H", body[:2])[0]
                    self._send(0x40, body[2 + length : 4 + length])
                    yield body[4 + length :]
        except (TimeoutError, ConnectionError):
            return

    def close(self) -> None:
        self._socket.close()

    def _answer(self, kind: int) -> None:
        while self._packet()[0] != kind:
            pass

    def _send(self, first: int, body: bytes) -> None:
        length, coded = len(body), b""
        while True:
            length, digit = divmod(length, 128)
            coded += bytes([digit | (0x80 if length else 0)])
            if not length:
                break
        self._socket.sendall(bytes([first]) + coded + body)

    def _packet(self) -> tuple[int, bytes]:
        first, length, shift = self._read(1)[0], 0, 0
        while True:
            digit = self._read(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return first >> 4, self._read(length)

    def _read(self, size: int) -> bytes:
        while len(self._waiting) < size:
            part = self._socket.recv(65_536)
            if not part:
                raise ConnectionError("the broker has closed the connection")
            self._waiting += part
        found, self._waiting = self._waiting[:size], self._waiting[size:]
        return found


def _text(content: bytes) -> bytes:
    return struct.pack(">H", len(content)) + content


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        try:
            found = socket.create_connection(("127.0.0.1", port), timeout=20)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return found
