"""The emulator's internals that the twin leans on: checked at start, so that a moved one fails loudly."""

from __future__ import annotations

import importlib
import importlib.metadata

VERSION = "1.5.33"
INTERNALS = {
    "ministack.app": (
        "AUTH",
        "SERVICE_HANDLERS",
        "_port_is_bindable",
        "app",
        "main",
        "_dispatch_service_request",
    ),
    "ministack.services.iot": (
        "_ca_cert_pem",
        "_ca_key_pem",
        "_mtls_build_ssl_context",
        "_mtls_ensure_server_cert",
        "_mtls_loop",
        "_mtls_server",
        "_mtls_start_locked",
        "_MtlsAcceptor",
        "mtls_is_listening",
    ),
}


class PinError(Exception):
    """The emulator is another one than the twin was built for."""


def check() -> None:
    """Raise PinError naming what moved."""
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise PinError(f"The twin's cloud is built for ministack {VERSION}, but {found} is installed.")
    missing = [
        f"{module}.{name}"
        for module, names in INTERNALS.items()
        for name in names
        if not hasattr(importlib.import_module(module), name)
    ]
    if missing:
        raise PinError(f"ministack {found} has no {', '.join(missing)}.")
