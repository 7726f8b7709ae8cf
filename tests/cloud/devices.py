"""A till's side of the wire for tests: MQTT with awscrt, HTTPS with the client certificate."""

from __future__ import annotations

import json
import queue
import ssl
import threading
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt_connection_builder
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

WAIT_SECONDS = 120


@dataclass(frozen=True)
class Identity:
    certificate: str
    key: str

    def files(self, directory: Path) -> tuple[str, str]:
        name = uuid.uuid4().hex
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_text(self.certificate)
        key.write_text(self.key)
        return str(certificate), str(key)


class Device:
    """One MQTT connection; `messages` holds everything that arrives, subscribed or not."""

    def __init__(self, cloud, identity, client_id):
        self.messages: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self._lost = threading.Event()
        self._connection = mqtt_connection_builder.mtls_from_bytes(
            endpoint="127.0.0.1",
            port=cloud.state.cloud.mqtt_port,
            cert_bytes=identity.certificate.encode(),
            pri_key_bytes=identity.key.encode(),
            ca_bytes=Path(cloud.state.cloud.ca).read_bytes(),
            client_id=client_id,
            clean_session=True,
            reconnect_min_timeout_secs=60,
            ping_timeout_ms=3000,
            keep_alive_secs=30,
            on_connection_interrupted=lambda **_details: self._lost.set(),
        )
        self._connection.on_message(self._heard)

    def __enter__(self):
        self._connection.connect().result(WAIT_SECONDS)
        return self

    def __exit__(self, *_error):
        ended = self._connection.disconnect()
        if not self._lost.is_set():  # a lost one ends when its next try to connect would have been
            ended.result(WAIT_SECONDS)

    def _heard(self, topic, payload, **_details):
        self.messages.put((topic, json.loads(payload)))

    def subscribe(self, topic):
        self._connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT_SECONDS)

    def publish(self, topic, document):
        message = json.dumps(document)
        self._connection.publish(topic, message, mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT_SECONDS)

    def may_publish(self, topic, document):
        """Whether the broker takes it; it ends the connection of who publishes what it may not."""
        return self._settled(self._connection.publish(topic, json.dumps(document), mqtt.QoS.AT_LEAST_ONCE)[0])

    def may_subscribe(self, topic):
        """Whether the broker grants it: it refuses, or ends the connection."""
        return self._settled(self._connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE)[0])

    def _settled(self, asked):
        for _ in range(WAIT_SECONDS * 10):
            if self._lost.is_set():
                return False
            try:
                asked.result(0.1)
            except TimeoutError:
                continue
            except AwsCrtError:
                return False
            return True
        raise TimeoutError("the broker neither answered nor closed the connection")

    def ask(self, topic, document):
        """Publish, and wait for the answer on topic/accepted or topic/rejected."""
        self.publish(topic, document)
        return self.wait_for(lambda heard: heard in {f"{topic}/accepted", f"{topic}/rejected"})

    def wait_for(self, wanted):
        while True:
            topic, document = self.messages.get(timeout=WAIT_SECONDS)
            if wanted(topic):
                return topic, document


def signing_request(thing):
    """A fresh key in PEM and a CSR for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, thing)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), request.public_bytes(serialization.Encoding.PEM).decode()


def https(cloud, identity, directory, path, *, body=None, headers=None):
    """Call the IoT HTTPS port; returns status and document."""
    context = ssl.create_default_context(cafile=cloud.state.cloud.ca)
    context.load_cert_chain(*identity.files(directory))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"https://localhost:{cloud.state.cloud.iot_port}{path}", data=data, headers=headers or {}
    )
    try:
        with opener.open(request, timeout=WAIT_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
