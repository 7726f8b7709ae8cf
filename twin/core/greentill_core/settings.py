"""The core's configuration, `config/core.json` under its root, read once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CoreError
from .storage import read_json


@dataclass(frozen=True, slots=True)
class Settings:
    """What the kit said; ports and intervals have Greengrass's defaults."""

    root: Path
    region: str
    iot_data_endpoint: str
    iot_credentials_endpoint: str
    provisioning_template: str
    serial: str
    role_alias: str
    claim_certificate: Path
    claim_private_key: Path
    root_ca: Path
    mqtt_port: int = 8883
    data_plane_port: int = 8443
    credentials_port: int = 443
    default_user: str = "ggc_user:ggc_group"
    nucleus: str = "classic"  # or "lite": how recipes are read
    sudo: str = "sudo"  # asked whether root may run as the default user; empty: not asked
    keep_alive_seconds: int = 15
    health_seconds: float = 86400.0  # fleet status is sent daily unless told otherwise
    longest_backoff_seconds: float = 30.0
    restart_seconds: float = 1.0  # pause before a failed step is tried again

    @property
    def configuration_folder(self) -> Path:
        return self.root / "config"


_PATHS = ("root", "claim_certificate", "claim_private_key", "root_ca")


def load(root: Path) -> Settings:
    """Read `config/core.json`; raises CoreError with what is missing or unknown."""
    path = root / "config" / "core.json"
    found = read_json(path, None)
    if not isinstance(found, dict):
        raise CoreError(f"{path} is missing or does not hold a JSON object")
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    unknown = sorted(set(found) - set(fields))
    missing = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and name != "root" and name not in found
    ]
    if unknown or missing:
        raise CoreError(f"{path}: unknown settings {unknown}, missing settings {missing}")
    values: dict[str, Any] = {"root": str(root)} | found
    paths = {name: Path(values[name]) for name in _PATHS}
    return Settings(**(values | paths))
