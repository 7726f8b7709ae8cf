"""The till's own certificate authority, made with Debian's openssl command when TLS is first asked for.

Keys lie beside their certificates in one file each, so that a power cut never leaves halves that don't match.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import ssl
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import atomic_write, write_json

from .addresses import is_address
from .errors import AuthorityError

_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # a clock before that has not been set
_CA_DAYS = 3_650
_SERVER_DAYS = 397  # browsers refuse more than 398 or 825 days
_RENEW_SECONDS = 60 * 86_400
_PRIVATE = 0o600
_PUBLIC = 0o644
_SECONDS = 60
# The authority can vouch for private names and addresses only: whoever steals it cannot play a bank.
_CA_CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
x509_extensions = extensions
[name]
CN = {name}
[extensions]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, @permitted
[permitted]
permitted;IP.1 = 10.0.0.0/255.0.0.0
permitted;IP.2 = 172.16.0.0/255.240.0.0
permitted;IP.3 = 192.168.0.0/255.255.0.0
permitted;IP.4 = 169.254.0.0/255.255.0.0
permitted;IP.5 = 127.0.0.0/255.0.0.0
{permitted}
"""
_SERVER_CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[extensions]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


class Authority:
    """Certificates under one folder that only the till's user may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / "authority.pem"
        self._server = folder / "server.pem"
        self._names = folder / "server.json"
        self._hosts = folder / "authority.json"  # host names that the authority may vouch for

    @property
    def certificate(self) -> Path:
        """What a device must trust."""
        return self._folder / "ca.crt"

    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate, as devices show it."""
        encoded = ssl.PEM_cert_to_DER_cert(self.certificate.read_text(encoding="ascii"))
        return hashlib.sha256(encoded).digest().hex(":").upper()

    def prepare(self, till: str, names: tuple[str, ...]) -> Path:
        """The server's key and certificate for these names, made or renewed as needed; AuthorityError."""
        if datetime.now(UTC) < _EARLIEST:
            raise AuthorityError("the clock is not set, so no certificate can be made yet")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._valid(self._own, 0) or not self.certificate.exists():
                self._make_own(till, names)
            names = self._permitted(names)
            if not self._valid(self._server, _RENEW_SECONDS) or _listed(self._names) != list(names):
                self._make_server(names)
        except OSError as error:
            raise AuthorityError(f"{self._folder} cannot be used: {error}") from error
        return self._server

    def context(self) -> ssl.SSLContext:
        """For the listener: TLS 1.2 and later."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """New connections get the certificate as it is now."""
        try:
            context.load_cert_chain(self._server)
        except (OSError, ssl.SSLError) as error:
            raise AuthorityError(f"{self._server} cannot be used: {error}") from error

    def _permitted(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """A host that is renamed keeps its authority: one name too many would spoil the whole certificate."""
        hosts = _listed(self._hosts)
        return tuple(name for name in names if is_address(name) or name in hosts or name.endswith(".local"))

    def _valid(self, path: Path, seconds: int) -> bool:
        if not path.exists():
            return False
        check = ["openssl", "x509", "-in", str(path), "-noout", "-checkend", str(seconds)]
        return _run(check, may_fail=True).returncode == 0

    def _make_own(self, till: str, names: tuple[str, ...]) -> None:
        hosts = list(dict.fromkeys(("local", *(name for name in names if not is_address(name)))))
        permitted = "\n".join(f"permitted;DNS.{index} = {host}" for index, host in enumerate(hosts, 1))
        text = _CA_CONFIGURATION.format(name=f"Greentill {till}"[:64], permitted=permitted)
        write_json(self._hosts, hosts)
        with tempfile.TemporaryDirectory(dir=self._folder) as work:
            key, certificate, settings = (Path(work, name) for name in ("key", "certificate", "settings"))
            settings.write_text(text, encoding="utf-8")
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            make += ["-nodes", "-sha256", "-days", str(_CA_DAYS), "-config", str(settings)]
            _run([*make, "-keyout", str(key), "-out", str(certificate)])
            atomic_write(self._own, key.read_bytes() + certificate.read_bytes(), _PRIVATE)
            atomic_write(self.certificate, certificate.read_bytes(), _PUBLIC)
        self._server.unlink(missing_ok=True)

    def _make_server(self, names: tuple[str, ...]) -> None:
        kinds = (f"{'IP' if is_address(name) else 'DNS'}:{name}" for name in names)
        text = _SERVER_CONFIGURATION.format(name=names[0][:64], names=", ".join(kinds))
        with tempfile.TemporaryDirectory(dir=self._folder) as work:
            key, request, certificate, settings = (Path(work, name) for name in ("key", "csr", "crt", "conf"))
            settings.write_text(text, encoding="utf-8")
            make = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            _run([*make, "-nodes", "-config", str(settings), "-keyout", str(key), "-out", str(request)])
            sign = ["openssl", "x509", "-req", "-in", str(request), "-CA", str(self._own)]
            sign += ["-CAkey", str(self._own), "-days", str(_SERVER_DAYS), "-sha256"]
            sign += ["-set_serial", f"0x{secrets.token_hex(16)}"]
            _run([*sign, "-extfile", str(settings), "-extensions", "extensions", "-out", str(certificate)])
            atomic_write(self._server, key.read_bytes() + certificate.read_bytes(), _PRIVATE)
        write_json(self._names, list(names))


def _listed(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(found) if isinstance(found, list) else []


def _run(command: list[str], *, may_fail: bool = False) -> subprocess.CompletedProcess[bytes]:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        raise AuthorityError("openssl is not installed: TLS for terminals needs it") from error
    except subprocess.TimeoutExpired as error:
        raise AuthorityError(f"openssl took longer than {_SECONDS} s") from error
    if done.returncode and not may_fail:
        raise AuthorityError(f"openssl {command[1]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done
