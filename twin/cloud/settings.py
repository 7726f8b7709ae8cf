"""The settings that the supervisor hands to the launcher, read once from the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    account: str
    region: str
    gateway_port: int
    mqtt_port: int
    iot_port: int
    ca: Path
    ca_key: Path
    certificate: Path
    key: Path


def load() -> Settings:
    """Read them; what is only ours is taken out, so that functions do not inherit it."""
    ours = json.loads(os.environ.pop("TWIN_CLOUD_SETTINGS"))
    return Settings(
        account=os.environ["MINISTACK_ACCOUNT_ID"],
        region=os.environ["MINISTACK_REGION"],
        gateway_port=int(os.environ["GATEWAY_PORT"]),
        mqtt_port=int(os.environ["IOT_MTLS_PORT"]),
        iot_port=int(ours["iot_port"]),
        ca=Path(os.environ["AWS_CA_BUNDLE"]),
        ca_key=Path(ours["ca_key"]),
        certificate=Path(os.environ["MINISTACK_SSL_CERT"]),
        key=Path(os.environ["MINISTACK_SSL_KEY"]),
    )
