"""An HTTPS endpoint that takes whatever DynamoDB and S3 would take, and keeps nothing."""

import asyncio
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_JSON = {"BatchWriteItem": b'{"UnprocessedItems":{}}', "Query": b'{"Items":[],"Count":0,"ScannedCount":0}'}
_EMPTY_LIST = (
    b'<?xml version="1.0"?><ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>'
    b"</ListBucketResult>"
)


@contextmanager
def null_sink(folder: Path) -> Iterator[tuple[int, Path]]:
    """Its port on 127.0.0.1, and the file of the certificate that its clients must trust."""
    certificate, key = _certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="null-sink", daemon=True)
    thread.start()
    serving = asyncio.start_server(_serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    server = asyncio.run_coroutine_threadsafe(serving, loop).result(20)
    try:
        yield server.sockets[0].getsockname()[1], certificate
    finally:
        asyncio.run_coroutine_threadsafe(_end_connections(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _end_connections() -> None:
    serving = asyncio.all_tasks() - {asyncio.current_task()}
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            if headers.get("expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await _read(reader, headers)
            writer.write(_answer(request.split(" ")[0], headers.get("x-amz-target", "").rpartition(".")[2]))
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def _read(reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    else:
        await reader.readexactly(int(headers.get("content-length", 0)))


def _answer(method: str, operation: str) -> bytes:
    if operation:
        body, kind = _JSON.get(operation, b"{}"), "application/x-amz-json-1.0"
    else:
        body, kind = (_EMPTY_LIST if method == "GET" else b""), "application/xml"
    names = f'x-amzn-RequestId: 0\r\nx-amz-request-id: 0\r\nETag: "0"\r\nContent-Type: {kind}'
    return f"HTTP/1.1 200 OK\r\n{names}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "null sink")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "null-sink.crt", folder / "null-sink.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return files
