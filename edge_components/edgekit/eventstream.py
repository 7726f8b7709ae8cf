"""AWS event-stream messages, as Greengrass IPC exchanges them over its socket.

A message: its length, the length of its headers, CRC-32 of those two (4 bytes each, big-endian), headers,
payload, CRC-32 of all that. A header: length of its name, name, type, value. The layout is that of
https://smithy.io/2.0/aws/amazon-eventstream.html; docs/decisions/0009-ipc-without-the-sdk.md says why it is
written here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

PRELUDE = struct.Struct(">III")  # total length, length of the headers, CRC of the two
LONGEST = 16 * 1024 * 1024
_CRC = struct.Struct(">I")
_TRUE, _FALSE, _INTEGER, _BYTES, _TEXT = 0, 1, 4, 6, 7
_FIXED = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}  # header type to its struct format
_UUID_BYTES = {9: 16}

Header = bool | int | str | bytes


class MessageError(Exception):
    """Bytes that are no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """Headers by name, and the payload."""

    headers: Mapping[str, Header] = field(default_factory=dict)
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """The message's bytes; headers are texts and 32-bit integers, which is all that requests need."""
    headers = b"".join(_encode_header(name, value) for name, value in message.headers.items())
    total = PRELUDE.size + len(headers) + len(message.payload) + _CRC.size
    lengths = struct.pack(">II", total, len(headers))
    body = lengths + _CRC.pack(zlib.crc32(lengths)) + headers + message.payload
    return body + _CRC.pack(zlib.crc32(body))


def length(prelude: bytes) -> int:
    """How long the whole message is that begins so; raises MessageError."""
    total, headers, crc = PRELUDE.unpack(prelude)
    if zlib.crc32(prelude[:8]) != crc:
        raise MessageError("the prelude is not what was sent")
    if not PRELUDE.size + headers + _CRC.size <= total <= LONGEST:
        raise MessageError(f"no message has {total} bytes with {headers} of headers")
    return int(total)


def decode(whole: bytes) -> Message:
    """The message in these bytes; raises MessageError."""
    length(whole[: PRELUDE.size])
    if _CRC.unpack(whole[-_CRC.size :])[0] != zlib.crc32(whole[: -_CRC.size]):
        raise MessageError("the message is not what was sent")
    end = PRELUDE.size + PRELUDE.unpack(whole[: PRELUDE.size])[1]
    try:
        headers = _decode_headers(whole[PRELUDE.size : end])
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise MessageError(f"the headers are cut short: {error}") from error
    return Message(headers, whole[end : -_CRC.size])


def _encode_header(name: str, value: Header) -> bytes:
    start = bytes((len(name),)) + name.encode()
    if isinstance(value, int):
        return start + struct.pack(">Bi", _INTEGER, value)
    content = value.encode() if isinstance(value, str) else value
    return start + struct.pack(">BH", _TEXT, len(content)) + content


def _decode_headers(data: bytes) -> dict[str, Header]:
    headers: dict[str, Header] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end].decode(), data[name_end]
        headers[name], at = _decode_value(kind, data, name_end + 1)
    return headers


def _decode_value(kind: int, data: bytes, at: int) -> tuple[Header, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _FIXED:
        layout = struct.Struct(_FIXED[kind])
        return layout.unpack_from(data, at)[0], at + layout.size
    if kind in _UUID_BYTES:
        return data[at : at + 16], at + 16
    if kind not in (_BYTES, _TEXT):
        raise MessageError(f"no header has the type {kind}")
    (size,) = struct.unpack_from(">H", data, at)
    content = data[at + 2 : at + 2 + size]
    return (content if kind == _BYTES else content.decode()), at + 2 + size
