"""What the commands of a till's life work with: the clients, the registry, the names."""

import getpass
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fleet_provisioning.access import FleetAccess
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.registry import Registry, Row
from infra.errors import SettingsError
from infra.identity.certificates import Retirement
from infra.identity.rotation.shadow import Shadow
from infra.names import Names
from infra.settings import Settings

Report = Callable[[str], None]  # a line of what is being done


def say_nothing(_line: str) -> None:
    """For who doesn't want to hear of progress."""


@dataclass(frozen=True)
class Fleet:
    """`report` hears each step. Clients are made when they are first needed."""

    session: Any
    names: Names
    settings: Settings
    report: Report = say_nothing
    by: str = field(default_factory=getpass.getuser)

    @property
    def registry(self) -> Registry:
        return Registry(self.session, self.names)

    @property
    def iot(self) -> Any:
        return self.session.client("iot")

    @property
    def data(self) -> Any:
        return self.session.client("iot-data")

    @property
    def table(self) -> Any:
        """The registry as boto3 has it, for what the cloud's functions do as well."""
        return self.session.resource("dynamodb").Table(self.names.registry_table)

    @property
    def shadow(self) -> Shadow:
        return Shadow(self.table, self.iot, self.data)

    @property
    def retirement(self) -> Retirement:
        return Retirement(self.iot, self.names)

    def till(self, serial: str) -> Row:
        """The row of a till, named by its serial or its thing. Raises ProvisioningError."""
        try:
            thing = self.names.thing(serial.removeprefix(self.names.prefix))
        except SettingsError as error:
            raise ProvisioningError(f"serial {serial!r}: give 4 to 32 letters and digits") from error
        row = self.registry.get(thing)
        if row is None:
            raise ProvisioningError(
                f"no till {serial} is registered; make a kit for it with: greentill till kit {serial} ..."
            )
        return row


def opened(access: FleetAccess, report: Report) -> Fleet:
    return Fleet(access.session, access.names, access.settings, report)
