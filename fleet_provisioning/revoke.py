"""Ends what a till may do, at once: lost, stolen, or not to be trusted any more."""

from collections.abc import Iterator
from dataclasses import dataclass

from fleet_provisioning.again import with_the_row
from fleet_provisioning.changes import Because, Changes
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

    It wins over whatever else is done to the till at the same time. Raises ProvisioningError for a till that
    is decommissioned.
    """
    with_the_row(fleet, row, lambda now: _close(fleet, now, reason))
    fleet.report(f"{row.thing} can't provision any more")
    return Revoked(row.thing, end_certificates(fleet, row, REVOKED))


def _close(fleet: Fleet, row: Row, reason: str) -> None:
    if row.state == "decommissioned":
        raise ProvisioningError(f"{row.thing} is decommissioned: there is nothing left to revoke")
    Changes(fleet.session, fleet.names).close(row, REVOKED, Because(reason, fleet.by))


def end_certificates(fleet: Fleet, row: Row, state: str) -> tuple[str, ...]:
    """Of a till that is closed (`state`): the claims, the row's certificates, and any other of the thing.

    Raises ProvisioningError when somebody else has given the till another state meanwhile.
    """
    ended = with_the_row(fleet, fleet.till(row.thing), lambda now: _end_certificates(fleet, now, state))
    fleet.shadow.settle(row.thing)
    return tuple(ended)


def _end_certificates(fleet: Fleet, row: Row, state: str) -> list[str]:
    if row.state != state:
        raise ProvisioningError(
            f"{row.thing} was {state} and is {row.state} now, by somebody else: look at it with greentill "
            "till status, and do it again if it is to be so"
        )
    changes = Changes(fleet.session, fleet.names)
    row = _with_all_certificates(fleet, row)
    had = [row.claim_certificate_id] if row.claim_certificate_id else []
    ended = end_claims(fleet, dict.fromkeys((*changes.close_loose_claims(row), *had)))
    for certificate in dict.fromkeys((*row.certificate_ids, *row.earlier_certificate_ids)):
        until_done(lambda one=certificate: fleet.retirement.till(one, row.thing))  # type: ignore[misc]
        fleet.report(f"ended certificate {certificate[:12]}")
        ended.append(certificate)
    changes.forget_certificates(row, state, ended)
    return ended


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
