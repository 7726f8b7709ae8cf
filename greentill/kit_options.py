"""What every command that makes kits takes, and what its options come to."""

from pathlib import Path
from typing import Annotated

import typer

from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.kits import Common
from fleet_provisioning.root_ca import root_ca as read_root_ca

RootCaOption = Annotated[
    Path | None, typer.Option(help="PEM authorities the till trusts; Amazon's roots by default.")
]
EnvironmentOption = Annotated[
    list[str] | None,
    typer.Option(help="KEY=VALUE for the Greengrass unit, such as a proxy. May be repeated."),
]
ExpiresOption = Annotated[int, typer.Option(help="How long the kit can be used.")]


def common(root_ca: Path | None, environment: list[str] | None, expires_days: int) -> Common:
    """What the kits of one run share. Raises ProvisioningError for options that can't be right."""
    return Common(read_root_ca(root_ca), _pairs(environment or []), expires_days)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise ProvisioningError(f"--environment {text}: give KEY=VALUE")
        pairs[key] = value
    return pairs
