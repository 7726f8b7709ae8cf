"""An MQTT client that sends what it is told to and nothing else: no pings, no good-bye."""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path
from typing import Any

from tests.cloud.devices import WAIT_SECONDS, Identity

CONNACK, PINGREQ = 0x20, b"\xc0\x00"
MQTT_3_1_1, CLEAN_SESSION = 4, 2


class RawClient:
    """Connected from `__init__` on; `keep_alive` in seconds."""

    def __init__(self, cloud: Any, identity: Identity, folder: Path, client_id: str, keep_alive: int) -> None:
        context = ssl.create_default_context(cafile=cloud.state.cloud.ca)
        context.load_cert_chain(*identity.files(folder))
        plain = socket.create_connection(("127.0.0.1", cloud.state.cloud.mqtt_port), WAIT_SECONDS)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        body = _text("MQTT") + struct.pack("!BBH", MQTT_3_1_1, CLEAN_SESSION, keep_alive) + _text(client_id)
        self._socket.sendall(bytes([0x10, len(body)]) + body)
        answer = self._socket.recv(4)
        assert answer[0] == CONNACK, answer
        assert answer[3] == 0, answer

    def ping(self) -> None:
        self._socket.sendall(PINGREQ)

    def is_closed(self) -> bool:
        """Whether the broker has closed it; reads away what came before."""
        self._socket.settimeout(0.05)
        try:
            return not self._socket.recv(4096)
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self._socket.close()


def _text(value: str) -> bytes:
    return struct.pack("!H", len(value)) + value.encode()
