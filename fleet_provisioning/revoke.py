"""Ends what a till may do, at once: lost, stolen, or not to be trusted any more."""

from collections.abc import Iterator
from dataclasses import dataclass

from fleet_provisioning.changes import Because, Changes, loose_claims
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.registry import Row
from fleet_provisioning.replace import end_claims
from infra.cleanup.sweep.attempt import until_done

REVOKED = "revoked"


@dataclass(frozen=True)
class Revoked:
    thing: str
    certificates: tuple[str, ...]


def revoke(fleet: Fleet, row: Row, reason: str) -> Revoked:
    """Refuse the till from now on, then end every certificate of it; safe to repeat after an interruption.

    Raises ProvisioningError for a till that is decommissioned.
    """
    if row.state == "decommissioned":
        raise ProvisioningError(f"{row.thing} is decommissioned: there is nothing left to revoke")
    Changes(fleet.session, fleet.names).close(row, REVOKED, Because(reason, fleet.by))
    fleet.report(f"{row.thing} can't provision any more")
    return Revoked(row.thing, end_certificates(fleet, row, REVOKED))


def end_certificates(fleet: Fleet, row: Row, state: str) -> tuple[str, ...]:
    """Of a till that is closed (`state`): the claim's, those of the row, and any other of the thing."""
    row = _with_all_certificates(fleet, fleet.till(row.thing))
    ended = end_claims(fleet, loose_claims(row))
    for certificate in dict.fromkeys((*row.certificate_ids, *row.earlier_certificate_ids)):
        until_done(lambda one=certificate: fleet.retirement.till(one, row.thing))  # type: ignore[misc]
        fleet.report(f"ended certificate {certificate[:12]}")
        ended.append(certificate)
    Changes(fleet.session, fleet.names).forget_certificates(row, state, ended)
    return tuple(ended)


def _with_all_certificates(fleet: Fleet, row: Row) -> Row:
    """The row, once it names every certificate of the thing: a run that is cut off must find them again."""
    known = {*row.certificate_ids, *row.earlier_certificate_ids}
    unknown = [one for one in _attached(fleet, row.thing) if one not in known]
    if not unknown:
        return row
    Changes(fleet.session, fleet.names).note_certificates(row, [*row.certificate_ids, *unknown])
    return fleet.till(row.thing)


def _attached(fleet: Fleet, thing: str) -> Iterator[str]:
    """Certificates that AWS IoT has for the thing, whatever the row says."""
    try:
        for page in fleet.iot.get_paginator("list_thing_principals").paginate(thingName=thing):
            yield from (
                principal.rpartition("/")[2] for principal in page["principals"] if ":cert/" in principal
            )
    except fleet.iot.exceptions.ResourceNotFoundException:
        return
