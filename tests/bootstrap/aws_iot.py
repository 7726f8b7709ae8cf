"""Stands for AWS IoT inside a test's machine: an authority, and endpoints that know what it issued."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.x509.oid import NameOID

from twin.machines import Machine

NAMES = ("data.iot.test", "credentials.iot.test")
ADDRESS = "127.0.0.2"
FOLDER = "/opt/aws-iot"
DAY = datetime.timedelta(days=1)
# Answers anybody over TLS; gives credentials to who shows one of our certificates that isn't in `inactive`.
SERVER = """\
import hashlib, os, socket, ssl, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Endpoint(BaseHTTPRequestHandler):
    def do_GET(self):
        shown = self.connection.getpeercert(binary_form=True)
        active = shown and hashlib.sha256(shown).hexdigest() not in open("/opt/aws-iot/inactive").read()
        known = active and self.path == "/role-aliases/greentill-tills/credentials"
        thing = self.headers["x-amzn-iot-thingname"]
        body = b'{"credentials": {"accessKeyId": "A", "secretAccessKey": "TOKEN-TEXT"}}' if known else b""
        self.send_response(200 if known and thing == "greentill-PI0001" else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    def get_request(self):
        connection, address = super().get_request()
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/opt/aws-iot/server.pem", "/opt/aws-iot/server.key")
context.load_verify_locations("/opt/aws-iot/authority.pem")
context.verify_mode = ssl.CERT_OPTIONAL
servers = [Server(("127.0.0.2", port), Endpoint) for port in (443, 8443, 8883)]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notice:
    notice.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
for server in servers:
    threading.Thread(target=server.serve_forever).start()
"""
UNIT = """\
[Service]
Type=notify
ExecStart=/usr/bin/python3 /opt/aws-iot/server.py
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key, both PEM."""

    certificate: str
    private_key: str


@dataclass(frozen=True)
class Authority:
    """A throw-away certificate authority."""

    certificate: str
    _key: ec.EllipticCurvePrivateKey
    _name: x509.Name

    def issue(
        self,
        common_name: str,
        *,
        begins: datetime.timedelta = -DAY,
        ends: datetime.timedelta = 365 * DAY,
        host_names: tuple[str, ...] = (),
    ) -> Identity:
        """A new key and its certificate, valid between two times relative to now."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Identity(self.sign(key.public_key(), common_name, begins, ends, host_names), _pem(key))

    def sign(
        self,
        public_key: CertificateIssuerPublicKeyTypes,
        common_name: str,
        begins: datetime.timedelta = -DAY,
        ends: datetime.timedelta = 365 * DAY,
        host_names: tuple[str, ...] = (),
    ) -> str:
        """A certificate, PEM, for somebody's public key."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(common_name))
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
        )
        if host_names:
            names = x509.SubjectAlternativeName([x509.DNSName(name) for name in host_names])
            builder = builder.add_extension(names, critical=False)
        return _certificate_pem(builder.sign(self._key, hashes.SHA256()))


@cache
def authority() -> Authority:
    """The authority of this run, which kits trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = _named("Test authority"), datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + 3650 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(_certificate_pem(certificate), key, name)


def begin(machine: Machine, scratch: Path) -> None:
    """Answer inside `machine` as data.iot.test and credentials.iot.test, from now on and after every boot."""
    server = authority().issue("endpoint", host_names=NAMES)
    folder = scratch / "aws-iot"
    folder.mkdir()
    for name, content in {
        "server.py": SERVER,
        "server.pem": server.certificate,
        "server.key": server.private_key,
        "authority.pem": authority().certificate,
        "inactive": "",
        "aws-iot.service": UNIT,
    }.items():
        (folder / name).write_text(content)
    machine.copy_in(folder, FOLDER)
    _run(machine, f"echo '{ADDRESS} {' '.join(NAMES)}' >>/etc/hosts")
    _run(machine, f"systemctl enable --now {FOLDER}/aws-iot.service")


def end(machine: Machine) -> None:
    """Be out of reach, by name and by port."""
    _run(machine, "systemctl disable --now aws-iot.service")
    _run(machine, f"sed -i.was '/^{ADDRESS} /d' /etc/hosts")


@contextmanager
def answering(machine: Machine, scratch: Path) -> Iterator[None]:
    """Be there for the while."""
    begin(machine, scratch)
    try:
        yield
    finally:
        end(machine)


def _run(machine: Machine, script: str) -> None:
    done = machine.run(["sh", "-c", script])
    assert done.returncode == 0, done.stderr


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
