"""A till's row in the registry, as provisioning leaves it."""

from __future__ import annotations

from typing import Any


def provisioned_row(thing: str, serial: str, *certificate_ids: str, **more: Any) -> dict[str, Any]:
    """Of a till in store ST-367 and stage dev; `more` overrides and adds."""
    return {
        "thing": thing,
        "serial": serial,
        "store": "ST-367",
        "stage": "dev",
        "terminals": ["T1"],
        "state": "provisioned",
        "assignment": {},
        "created_at": "2026-11-20T09:00:00.000000Z",
        "created_by": "tester",
        "provisioned_at": "2026-11-20T10:00:00Z",
        "certificate_ids": list(certificate_ids),
        **more,
    }
