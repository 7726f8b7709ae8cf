"""A till with a cloud of three throw-away TLS servers behind its link."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.machines.till_under_test import Till
from twin.link import Link, Upstreams
from twin.machines import Machine, ensure_root, reclaim

NAMES = ("aws.twin.internal", "data.iot.twin.internal", "credentials.iot.twin.internal")
LONG = 1_000_000  # how often the answer to /long repeats the word
POS_UNIT = """\
[Service]
ExecStart=/usr/bin/python3 -u -m http.server --bind 127.0.0.1 --directory /srv 8080
Restart=always
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="session")
def root_image() -> Path:
    """The cached Debian root."""
    return ensure_root()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key for every name of the cloud, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    names = [*(x509.DNSName(name) for name in NAMES), x509.IPAddress(ip_address("10.77.0.1"))]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("authority") / "cloud.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@contextmanager
def answering(word: str, certificate: Path) -> Iterator[int]:
    """A TLS server on a free loopback port that answers every request with `word`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = word.encode() * (LONG if self.path == "/long" else 1)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # the handshake happens in the connection's own thread: one that stalls stops nobody else
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def upstreams(certificate: Path) -> Iterator[Upstreams]:
    """The three ports of the stand-in cloud."""
    with ExitStack() as stack:
        gateway, iot, mqtt = (
            stack.enter_context(answering(word, certificate)) for word in ("gateway", "iot", "mqtt")
        )
        yield Upstreams(gateway=gateway, iot=iot, mqtt=mqtt)


@pytest.fixture(scope="module")
def till(
    root_image: Path, upstreams: Upstreams, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Till]:
    """A till whose page says "the till page", behind a link."""
    work_dir = tmp_path_factory.mktemp("twin")
    try:
        link = Link.start(work_dir, upstreams)
        pos_url = link.add("LINK0001").pos_url
        machine = Machine("LINK0001", root_image, work_dir)
        machine.boot()
        machine.copy_in(certificate, "/etc/ca.pem")
        machine.path("/srv/index.html").write_text("the till page")
        machine.path("/etc/systemd/system/page.service").write_text(POS_UNIT)
        assert machine.run(["systemctl", "enable", "--now", "page.service"]).returncode == 0
        yield Till(machine, link, pos_url)
    finally:
        reclaim(work_dir, erase=True)
