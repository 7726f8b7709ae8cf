"""The MQTT listener: loopback only, the twin's own server certificate, a client certificate required."""

from __future__ import annotations

import asyncio
import ssl

from ministack.services import iot

from twin.cloud.settings import Settings


def install(settings: Settings) -> None:
    """Change how the emulator's listener binds and which certificates it shows and asks for."""
    # One authority signs everything: a till's root-ca.pem is the same file for MQTT, HTTPS and SDK calls.
    iot._ca_cert_pem = settings.ca.read_text()
    iot._ca_key_pem = settings.ca_key.read_text()
    build = iot._mtls_build_ssl_context

    def ensure_server_certificate() -> tuple[str, str]:
        return settings.certificate.read_text(), settings.key.read_text()

    def build_requiring_a_certificate() -> ssl.SSLContext:
        context: ssl.SSLContext = build()
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    async def start_on_loopback() -> None:
        if iot._mtls_server is not None:
            return
        loop = asyncio.get_running_loop()
        iot._mtls_server = await loop.create_server(
            iot._MtlsAcceptor, host="127.0.0.1", port=settings.mqtt_port
        )
        iot._mtls_loop = loop

    iot._mtls_ensure_server_cert = ensure_server_certificate
    iot._mtls_build_ssl_context = build_requiring_a_certificate
    iot._mtls_start_locked = start_on_loopback
