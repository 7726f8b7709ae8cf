"""A new card for a till whose card died: the same serial, a new claim, a new kit.

The row changes last, so that a till which is still alive goes on as it was when anything fails before. Its
earlier certificates work until the new card first connects: a shop is not closed for want of a screwdriver.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleet_provisioning import claims, kit_files
from fleet_provisioning.changes import Because, Changes
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.kits import EXPIRES_DAYS, Kit, KitMaker
from fleet_provisioning.move import settle_thing
from fleet_provisioning.order import Order, check_order
from fleet_provisioning.registry import Row
from infra.cleanup.sweep.attempt import until_done


def replace(
    fleet: Fleet,
    maker: KitMaker,
    row: Row,
    folder: Path,
    reason: str,
    *,
    expires_days: int = EXPIRES_DAYS,
    now: datetime | None = None,
) -> Kit:
    """Write a kit into `folder`, the row back to pending. Raises ProvisioningError, NotDeployedError."""
    order = Order(row.serial, row.store, row.stage, row.terminals)
    check_order(order, fleet.settings)
    now = now or datetime.now(UTC)
    expires_at = int((now + timedelta(days=expires_days)).timestamp())
    place = kit_files.Workplace(folder)
    changes = Changes(fleet.session, fleet.names)
    try:
        place.begin(f"replaces {row.thing}")
        end_loose_claims(fleet, row)
        claim = claims.make_claim(fleet.iot, row.thing)
        try:
            changes.prepare(row, claim.certificate_id)
            claims.permit(fleet.iot, claim, fleet.names)
            maker.write(order, row.thing, claim, folder)
            claims.activate(fleet.iot, claim)
            changes.reopen(row, claim.certificate_id, expires_at, Because(reason, fleet.by))
        except BaseException:
            fleet.retirement.claim(claim.certificate_id)
            raise
    except BaseException:
        place.remove()
        raise
    # A deployment runs once on each member of its group: the new card gets it by joining anew.
    settle_thing(fleet, row.thing)
    fleet.shadow.settle(row.thing)
    end_loose_claims(fleet, fleet.till(row.thing))
    place.finish()
    fleet.report(f"{row.thing} is pending: its next first contact closes what is left of the earlier card")
    return Kit(row.thing, row.serial, folder, claim.certificate_id, expires_at)


def end_loose_claims(fleet: Fleet, row: Row) -> None:
    """What a replacement has left behind, whether it went through or was cut off."""
    changes = Changes(fleet.session, fleet.names)
    closing = changes.close_loose_claims(row)
    end_claims(fleet, closing)
    changes.forget_closed_claims(row, closing)


def end_claims(fleet: Fleet, certificate_ids: Iterable[str]) -> list[str]:
    """End claims' certificates; those that were there."""
    return [
        one
        for one in certificate_ids
        if until_done(lambda claim=one: fleet.retirement.claim(claim))  # type: ignore[misc]
    ]
