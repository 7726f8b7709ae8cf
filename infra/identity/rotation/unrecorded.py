"""Certificates that were made for a rotation and not noted: a function may end between the two.

They have neither rights nor a thing, so nothing tells whose they are but the key that they certify.
"""

import binascii
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

BEGIN, END = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
MOST_CHARACTERS = 8_192  # an AWS IoT shadow holds no more, and a request for RSA 4096 has some 1,700
PAGE = 250
CLOCKS = timedelta(minutes=5)  # between this function's and AWS IoT's


def public_key(request_pem: str) -> bytes:
    """The key (SubjectPublicKeyInfo in DER) of a signing request. Raises ValueError for what is none.

    RFC 2986: SEQUENCE { SEQUENCE { version, subject, subjectPKInfo, ... }, ... }. DER has one form for each
    value, so the same bytes are in every certificate for that key.
    """
    body = request_pem[:MOST_CHARACTERS].partition(BEGIN)[2].partition(END)[0]
    der = binascii.a2b_base64("".join(body.split()), strict_mode=True)
    try:
        at, _end = _content(der, 0)
        at, _end = _content(der, at)
        for _version_then_subject in range(2):
            _start, at = _content(der, at)
        _start, end = _content(der, at)
    except IndexError as error:
        raise ValueError("it ends too early") from error
    return der[at:end]


def unrecorded(iot: Any, key: bytes, since: datetime) -> Iterator[str]:
    """Inactive certificates for `key` made after `since`; the newest come first, so few are read."""
    pages = iot.get_paginator("list_certificates").paginate(
        ascendingOrder=False, PaginationConfig={"PageSize": PAGE}
    )
    for page in pages:
        young = [one for one in page["certificates"] if one["creationDate"] >= since - CLOCKS]
        for certificate_id in (one["certificateId"] for one in young if one["status"] == "INACTIVE"):
            pem = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"][
                "certificatePem"
            ]
            if key in ssl.PEM_cert_to_DER_cert(pem):
                yield certificate_id
        if not young:
            return


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at `at` begins and ends. Raises IndexError beyond the end."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length, start = int.from_bytes(der[start : start + octets], "big"), start + octets
    if start + length > len(der):
        raise IndexError(at)
    return start, start + length
