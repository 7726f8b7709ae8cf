"""The link learns the name that a TLS client asks for, from what real clients send."""

import asyncio
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.link.client_hello import read_hello, server_name

NAME = "credentials.iot.twin.internal"


def client_hello(name: str | None) -> bytes:
    """What OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def read(sent: bytes) -> tuple[bytes, str | None]:
    async def reading() -> tuple[bytes, str | None]:
        reader = asyncio.StreamReader()
        reader.feed_data(sent)
        reader.feed_eof()
        return await read_hello(reader)

    return asyncio.run(reading())


def in_records_of(size: int, hello: bytes) -> bytes:
    """The same handshake message in TLS records of at most `size` bytes."""
    message = hello[5:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(hello[:3] + len(part).to_bytes(2) + part for part in parts)


def test_the_name_is_found_and_every_byte_is_kept_for_the_cloud() -> None:
    hello = client_hello(NAME)
    assert read(hello) == (hello, NAME)


def test_a_hello_without_a_name_has_none() -> None:
    hello = client_hello(None)
    assert read(hello) == (hello, None)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_hello_in_several_records_is_put_together(size: int) -> None:
    sent = in_records_of(size, client_hello(NAME))
    assert read(sent) == (sent, NAME)


def test_a_client_that_leaves_in_the_middle_is_not_forwarded() -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        read(client_hello(NAME)[:-1])


def test_what_is_no_handshake_is_handed_on_at_once() -> None:
    assert read(b"GET / HTTP/1.0\r\n\r\n") == (b"GET /", None)


@given(st.binary(max_size=300), st.integers(0, 299))
def test_no_bytes_make_it_fail(noise: bytes, at: int) -> None:
    message = bytearray(client_hello(NAME)[5:])
    message[at : at + len(noise)] = noise
    server_name(bytes(message))
