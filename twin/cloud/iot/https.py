"""The IoT HTTPS port: mutual TLS, one request at a time per connection, on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import h11
from ministack.services import iot

from twin.cloud.context import Answer, ApiError
from twin.cloud.iot.policy import Certificates
from twin.cloud.settings import Settings

LOGGER = logging.getLogger("twin.iot.https")
BODY_LIMIT = 1 << 20  # bytes
IDLE_SECONDS = 60
READ_BYTES = 65536


@dataclass(frozen=True)
class Request:
    """A request of a device whose certificate is active; header names are in lower case."""

    certificate_id: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Respond = Callable[[Request], Answer]


class HttpsListener:
    def __init__(self, settings: Settings, certificates: Certificates, respond: Respond) -> None:
        self._settings = settings
        self._certificates = certificates
        self._respond = respond
        self._server: asyncio.Server | None = None

    @property
    def listening(self) -> bool:
        return self._server is not None

    def install(self) -> None:
        """Start with the emulator's MQTT listener, on its event loop."""
        start = iot.mtls_start

        async def start_both() -> None:
            await start()
            self._server = await asyncio.start_server(
                self._serve, host="127.0.0.1", port=self._settings.iot_port, ssl=self._tls()
            )

        iot.mtls_start = start_both

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self._settings.ca))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self._settings.certificate, self._settings.key)
        context.set_alpn_protocols(["x-amzn-http-ca", "http/1.1"])
        return context

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        peer: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        certificate_id = hashlib.sha256(peer).hexdigest()
        try:
            while True:
                request = await _read(connection, reader, certificate_id)
                if request is None:
                    return
                await _write(connection, writer, self._answer(request))
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return
                connection.start_next_cycle()
        except (h11.RemoteProtocolError, ConnectionError, TimeoutError, ssl.SSLError) as error:
            LOGGER.info("A device's connection ended: %s", error)
        finally:
            writer.close()

    def _answer(self, request: Request) -> Answer:
        try:
            self._check_active(request)
            return self._respond(request)
        except ApiError as error:
            LOGGER.warning("%s %s: %s", request.method, request.target, error)
            return error.answer()

    def _check_active(self, request: Request) -> None:
        if not self._certificates.active(request.certificate_id):
            raise ApiError("AccessDeniedException", "The certificate is not active.", 403)


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader, certificate_id: str
) -> Request | None:
    """The next request, or None when the device closed the connection."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await asyncio.wait_for(reader.read(READ_BYTES), IDLE_SECONDS)
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > BODY_LIMIT:
                raise h11.RemoteProtocolError("The request's body is too large.", 413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
            return Request(certificate_id, head.method.decode(), head.target.decode(), headers, body)
        else:
            return None


async def _write(connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer) -> None:
    status, headers, body = answer
    fields = [*headers.items(), ("Content-Length", str(len(body)))]
    for event in (
        h11.Response(status_code=status, headers=fields),
        h11.Data(data=body),
        h11.EndOfMessage(),
    ):
        writer.write(connection.send(event) or b"")
    await writer.drain()
