"""The public key (SubjectPublicKeyInfo) in a signing request and in a certificate, found in their DER.

DER has one form for each value, so the same key is the same bytes in both. The standard library reads
neither, and a function of ours carries nothing but it and boto3.
"""

import binascii
import hashlib
import ssl

BEGIN, END = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
MOST_CHARACTERS = 8_192  # an AWS IoT shadow holds no more, and a request for RSA 4096 has some 1,700
BEFORE_KEY_IN_REQUEST = 2  # RFC 2986: version, subject
BEFORE_KEY_IN_CERTIFICATE = 6  # RFC 5280, from v2 on: version, serial, signature, issuer, validity, subject


def key_of_request(request_pem: str) -> str:
    """SHA-256 in hex of a signing request's key. Raises ValueError for what is none."""
    body = request_pem[:MOST_CHARACTERS].partition(BEGIN)[2].partition(END)[0]
    der = binascii.a2b_base64("".join(body.split()), strict_mode=True)
    return _key(der, BEFORE_KEY_IN_REQUEST)


def key_of_certificate(certificate_pem: str) -> str:
    """SHA-256 in hex of a certificate's key. Raises ValueError for what is none."""
    return _key(ssl.PEM_cert_to_DER_cert(certificate_pem), BEFORE_KEY_IN_CERTIFICATE)


def _key(der: bytes, values_before: int) -> str:
    """Both are a SEQUENCE that begins with a SEQUENCE, in which the key follows some values."""
    try:
        at, _end = _content(der, 0)
        at, _end = _content(der, at)
        for _value in range(values_before):
            _start, at = _content(der, at)
        _start, end = _content(der, at)
    except IndexError as error:
        raise ValueError("it ends too early") from error
    return hashlib.sha256(der[at:end]).hexdigest()


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at `at` begins and ends. Raises IndexError beyond the end."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length, start = int.from_bytes(der[start : start + octets], "big"), start + octets
    if start + length > len(der):
        raise IndexError(at)
    return start, start + length
