"""The fleet of a clone's fleet.toml, in the account that the environment's credentials open."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fleet_provisioning.errors import ProvisioningError
from infra.names import Names
from infra.settings import Settings, load

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "adaptive", "max_attempts": 6})


class FleetSession:
    """A boto3 session whose clients wait no longer than CONFIG says, and are made once, which takes long."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, service: str) -> Any:
        return self._once("client", service)

    def resource(self, service: str) -> Any:
        return self._once("resource", service)

    def _once(self, kind: str, service: str) -> Any:
        if (kind, service) not in self._made:
            self._made[kind, service] = getattr(self._session, kind)(service, config=CONFIG)
        return self._made[kind, service]


@dataclass(frozen=True)
class FleetAccess:
    session: FleetSession
    names: Names
    settings: Settings


def fleet_settings(root: Path = ROOT) -> Settings:
    """What fleet.toml and releases/ say, without asking any account. Raises SettingsError."""
    return load(root)


def fleet_access(root: Path = ROOT, settings: Settings | None = None) -> FleetAccess:
    """Raises SettingsError for fleet.toml, ProvisioningError when the account can't be reached."""
    settings = settings or fleet_settings(root)
    session = FleetSession(boto3.Session(region_name=settings.fleet.region))
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise ProvisioningError(
            f"the account can't be reached ({error}): are its credentials set?"
        ) from error
    return FleetAccess(session, Names(settings.fleet.name, account, settings.fleet.region), settings)
