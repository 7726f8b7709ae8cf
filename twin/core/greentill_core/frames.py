"""The event-stream frames that Greengrass IPC exchanges, and their checksums.

A frame: total length, headers length, CRC of those two (4 bytes each, big-endian), headers, payload, CRC of
all before it. The format is the AWS event-stream encoding (AWS C Event Stream's documentation).
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

PRELUDE_BYTES = 12
LARGEST_FRAME = 24 * 1024 * 1024  # the protocol's limit for a message
_CRC_BYTES = 4

HeaderValue = bool | int | bytes | str


class FrameError(Exception):
    """Bytes that are not a frame."""


class MessageType(IntEnum):
    """The `:message-type` header."""

    APPLICATION_MESSAGE = 0
    APPLICATION_ERROR = 1
    PING = 2
    PING_RESPONSE = 3
    CONNECT = 4
    CONNECT_ACK = 5
    PROTOCOL_ERROR = 6
    INTERNAL_ERROR = 7


class Flags(IntFlag):
    """The `:message-flags` header."""

    NONE = 0
    CONNECTION_ACCEPTED = 1
    TERMINATE_STREAM = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; `headers` without the three that the protocol itself uses."""

    type: MessageType
    stream: int = 0
    flags: Flags = Flags.NONE
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame's bytes."""
    own: dict[str, HeaderValue] = {
        ":message-type": int(frame.type),
        ":message-flags": int(frame.flags),
        ":stream-id": frame.stream,
    }
    headers = b"".join(_encode_header(name, value) for name, value in (own | dict(frame.headers)).items())
    lengths = struct.pack(">II", PRELUDE_BYTES + len(headers) + len(frame.payload) + _CRC_BYTES, len(headers))
    body = lengths + _crc(lengths) + headers + frame.payload
    return body + _crc(body)


def decode(data: bytes) -> Frame:
    """The frame in `data`; raises FrameError."""
    headers_length = check_prelude(data[:PRELUDE_BYTES])[1]
    if _crc(data[:-_CRC_BYTES]) != data[-_CRC_BYTES:]:
        raise FrameError("the message's checksum is wrong")
    end = PRELUDE_BYTES + headers_length
    headers = _decode_headers(data[PRELUDE_BYTES:end])
    try:
        return Frame(
            type=MessageType(_integer(headers.pop(":message-type"))),
            flags=Flags(_integer(headers.pop(":message-flags", 0))),
            stream=_integer(headers.pop(":stream-id", 0)),
            headers=headers,
            payload=data[end:-_CRC_BYTES],
        )
    except (KeyError, ValueError) as error:
        raise FrameError(f"a header of the protocol is missing or unknown: {error}") from error


def check_prelude(prelude: bytes) -> tuple[int, int]:
    """Total and headers length in bytes; raises FrameError."""
    if len(prelude) != PRELUDE_BYTES:
        raise FrameError("the prelude is cut short")
    total, headers = struct.unpack(">II", prelude[:8])
    if _crc(prelude[:8]) != prelude[8:]:
        raise FrameError("the prelude's checksum is wrong")
    if total > LARGEST_FRAME or headers > total - PRELUDE_BYTES - _CRC_BYTES:
        raise FrameError(f"a frame of {total} bytes with {headers} of headers is not possible")
    return total, headers


async def read(stream: asyncio.StreamReader) -> Frame | None:
    """The next frame, or None at the end of the stream; raises FrameError."""
    try:
        prelude = await stream.readexactly(PRELUDE_BYTES)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise FrameError("the stream ends in a frame") from error
    total, _headers = check_prelude(prelude)
    try:
        return decode(prelude + await stream.readexactly(total - PRELUDE_BYTES))
    except asyncio.IncompleteReadError as error:
        raise FrameError("the stream ends in a frame") from error


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def _integer(value: HeaderValue) -> int:
    if not isinstance(value, int):
        raise FrameError(f"{value!r} should be a number")
    return value


def _encode_header(name: str, value: HeaderValue) -> bytes:
    key = struct.pack("B", len(name)) + name.encode()
    if isinstance(value, bool):
        return key + (b"\x00" if value else b"\x01")
    if isinstance(value, int):
        return key + b"\x04" + struct.pack(">i", value)
    raw = value if isinstance(value, bytes) else value.encode()
    return key + (b"\x06" if isinstance(value, bytes) else b"\x07") + struct.pack(">H", len(raw)) + raw


_FIXED: Mapping[int, str] = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}  # type -> struct format


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            length = data[at]
            name = data[at + 1 : at + 1 + length].decode()
            kind = data[at + 1 + length]
            headers[name], at = _decode_value(kind, data, at + 2 + length)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"the headers are malformed: {error}") from error
    return headers


def _decode_value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    if kind in (0, 1):
        return kind == 0, at
    if kind in _FIXED:
        layout = _FIXED[kind]
        return struct.unpack_from(layout, data, at)[0], at + struct.calcsize(layout)
    if kind in (6, 7):
        length = struct.unpack_from(">H", data, at)[0]
        raw = data[at + 2 : at + 2 + length]
        return (raw if kind == 6 else raw.decode()), at + 2 + length
    if kind == 9:
        return data[at : at + 16], at + 16
    raise FrameError(f"headers have no type {kind}")
