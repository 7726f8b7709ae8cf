"""Takes a till out of the fleet for good, once its sales are in the cloud or somebody lets them go."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fleet_provisioning.backlog import Reported, loss, reports
from fleet_provisioning.changes import Because, Changes
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.registry import Row
from fleet_provisioning.revoke import end_certificates
from infra.cleanup.sweep.attempt import until_done
from infra.identity.rotation.shadow import SHADOW

DECOMMISSIONED = "decommissioned"
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Decommissioned:
    """`lost`: a sentence about what may not have reached the cloud; None when everything has."""

    thing: str
    lost: str | None
    certificates: tuple[str, ...]


def drain(fleet: Fleet, row: Row, seconds: float, sleep: Callable[[float], None] = time.sleep) -> str | None:
    """Wait, while the till is connected, for everything to be delivered; what would be lost after that."""
    deadline = time.monotonic() + seconds
    while True:
        report = reports(fleet.session, fleet.names, [row.thing]).get(row.thing)
        lost = loss(row, report)
        if lost is None or not row.connected or time.monotonic() >= deadline:
            return lost
        _tell(fleet, report)
        sleep(POLL_SECONDS)
        row = fleet.till(row.thing)


def decommission(fleet: Fleet, row: Row, reason: str, *, lost: str | None, force: bool) -> Decommissioned:
    """Remove everything but the row, which says why; safe to repeat after an interruption.

    Raises ProvisioningError when sales would be lost and `force` isn't given.
    """
    if lost and not force and row.state != DECOMMISSIONED:
        raise ProvisioningError(
            f"{lost}; let the till deliver first, or give --force if its card is lost or its sales may go"
        )
    Changes(fleet.session, fleet.names).close(row, DECOMMISSIONED, Because(reason, fleet.by))
    fleet.report(f"{row.thing} can't provision any more")
    ended = end_certificates(fleet, row, DECOMMISSIONED)
    greengrass, iot = fleet.session.client("greengrassv2"), fleet.iot
    for what, step in (
        ("core device", lambda: greengrass.delete_core_device(coreDeviceThingName=row.thing)),
        ("shadow", lambda: fleet.data.delete_thing_shadow(thingName=row.thing, shadowName=SHADOW)),
        ("thing", lambda: iot.delete_thing(thingName=row.thing)),
    ):
        fleet.report(f"{what} {'removed' if until_done(step) else 'was gone'}")
    return Decommissioned(row.thing, lost, ended)


def _tell(fleet: Fleet, report: Reported | None) -> None:
    if report and report.backlog is not None:
        fleet.report(f"waiting for {report.backlog} records to be delivered")
    else:
        fleet.report("waiting for the till to say what it has left to deliver")
