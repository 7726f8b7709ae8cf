"""DescribeCertificate with the validity that AWS IoT tells, and the emulator does not."""

from __future__ import annotations

import json
from typing import Any

from cryptography import x509
from ministack.services import iot

from twin.cloud.context import Answer


def install() -> None:
    handle = iot._handle_certificate

    def certificate(method: str, path: str, body: bytes, query: dict[str, Any]) -> Answer:
        answer: Answer = handle(method, path, body, query)
        status, headers, content = answer
        if method != "GET" or status >= 400:
            return answer
        document = json.loads(content)
        described = document["certificateDescription"]
        found = x509.load_pem_x509_certificate(described["certificatePem"].encode())
        described["validity"] = {
            "notBefore": found.not_valid_before_utc.timestamp(),
            "notAfter": found.not_valid_after_utc.timestamp(),
        }
        return status, headers, json.dumps(document).encode()

    iot._handle_certificate = certificate
