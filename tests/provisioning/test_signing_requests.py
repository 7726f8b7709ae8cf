"""The key of a request and of a certificate, by which a certificate that nobody noted is found again."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from infra.identity.rotation.keys import BEGIN, END, key_of_certificate, key_of_request

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KEYS: dict[str, Callable[[], Key]] = {
    "RSA 2048": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "RSA 4096": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
}


def request(key: Key) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "greentill-PI0001")])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


@pytest.mark.parametrize("kind", KEYS)
def test_the_key_is_the_one_that_the_request_is_for(kind: str) -> None:
    key = KEYS[kind]()
    pem = request(key).public_bytes(serialization.Encoding.PEM).decode()
    assert key_of_request(pem) == digest(key)


def digest(key: Key) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_key().public_bytes(serialization.Encoding.DER, form)).hexdigest()


@pytest.mark.parametrize("kind", KEYS)
def test_the_key_in_a_certificate_is_known_by_the_same_digest(kind: str) -> None:
    key, issuer = KEYS[kind](), KEYS["P-256"]()
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "greentill-PI0001")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(issuer, hashes.SHA256())
    )
    assert key_of_certificate(made.public_bytes(serialization.Encoding.PEM).decode()) == digest(key)


def test_what_is_no_certificate_has_no_key() -> None:
    for text in ("", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ValueError, match=r"."):
            key_of_certificate(text)


def wrapped(der: bytes) -> str:
    return f"{BEGIN}\n{binascii.b2a_base64(der).decode()}{END}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no request at all",
        "{'a': 1}",
        f"{BEGIN}\nMIIB\n{END}",
        f"{BEGIN}\n\u00e4\n{END}",
        f"{BEGIN}\n{END}",
        BEGIN + "A" * 100_000,
        wrapped(b"\x30\x84\xff\xff\xff\xff"),
        wrapped(b"\x30"),
    ],
    ids=range(9),
)
def test_what_is_no_request_has_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        key_of_request(text)


def test_a_request_that_is_cut_off_anywhere_before_its_key_ends_has_no_key() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "greentill-PI0001")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
    der = made.public_bytes(serialization.Encoding.DER)
    for length in range(len(der)):
        with pytest.raises(ValueError, match=r"."):
            key_of_request(wrapped(der[:length]))
