"""What provisioning made: things and certificates of this fleet, claims included."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from infra.cleanup.sweep.attempt import Attempts
from infra.names import Names

SHADOW = "certificate"  # as in infra/identity/rotation/shadow.py, which the sweep does without


def close_the_door(iot: Any, names: Names, attempts: Attempts) -> None:
    """Nobody may be provisioned while the sweep runs."""
    attempts.delete(
        "provisioning template (disabled)",
        names.provisioning_template,
        lambda: iot.update_provisioning_template(templateName=names.provisioning_template, enabled=False),
    )


def retire_thing_type(iot: Any, names: Names, attempts: Attempts) -> None:
    """A thing type can be deleted 5 minutes after it was deprecated: begin now, CloudFormation deletes it."""
    attempts.delete(
        "thing type (deprecated)",
        names.thing_type,
        lambda: iot.deprecate_thing_type(thingTypeName=names.thing_type),
    )


def sweep_certificates(iot: Any, policy: str, kind: str, attempts: Attempts) -> None:
    """Every certificate that carries one of the fleet's policies, attached to a thing or not."""
    for arn in list(certificates_with(iot, policy)):
        _delete_certificate(iot, arn, kind, attempts)


def certificates_with(iot: Any, policy: str) -> Iterator[str]:
    """ARNs of the certificates that `policy` is attached to."""
    try:
        for page in iot.get_paginator("list_targets_for_policy").paginate(policyName=policy):
            yield from (target for target in page["targets"] if ":cert/" in target)
    except iot.exceptions.ResourceNotFoundException:
        return


def sweep_things(iot: Any, data: Any, names: Names, stages: list[str], attempts: Attempts) -> None:
    """Things of the fleet, found by type and group, with their shadows and what certificates are left.

    A shadow is kept apart from its thing, and nobody could find it without.
    """
    for thing in sorted(things(iot, names, stages)):
        for principal in _principals(iot, thing):
            if ":cert/" in principal:
                _delete_certificate(iot, principal, "certificate", attempts)
        attempts.delete(
            "thing",
            thing,
            partial(data.delete_thing_shadow, thingName=thing, shadowName=SHADOW),
            partial(iot.delete_thing, thingName=thing),
        )


def things(iot: Any, names: Names, stages: list[str]) -> set[str]:
    found: set[str] = set()
    for page in iot.get_paginator("list_things").paginate(thingTypeName=names.thing_type):
        found.update(thing["thingName"] for thing in page["things"])
    groups = [group for stage in stages for group in (names.stage_group(stage), names.canary_group(stage))]
    for group in groups:
        try:
            for page in iot.get_paginator("list_things_in_thing_group").paginate(thingGroupName=group):
                found.update(page["things"])
        except iot.exceptions.ResourceNotFoundException:
            continue
    return {thing for thing in found if thing.startswith(names.prefix)}


def _principals(iot: Any, thing: str) -> list[str]:
    try:
        pages = iot.get_paginator("list_thing_principals").paginate(thingName=thing)
        return [principal for page in pages for principal in page["principals"]]
    except iot.exceptions.ResourceNotFoundException:
        return []


def _delete_certificate(iot: Any, arn: str, kind: str, attempts: Attempts) -> None:
    """Deactivated first, so that its owner is off at once; then everything is taken from it."""
    certificate = arn.rpartition("/")[2]

    def deactivate() -> None:
        iot.update_certificate(certificateId=certificate, newStatus="INACTIVE")

    def detach() -> None:
        for page in iot.get_paginator("list_principal_things").paginate(principal=arn):
            for thing in page["things"]:
                iot.detach_thing_principal(thingName=thing, principal=arn)
        for page in iot.get_paginator("list_attached_policies").paginate(target=arn):
            for policy in page["policies"]:
                iot.detach_policy(policyName=policy["policyName"], target=arn)

    def delete() -> None:
        iot.delete_certificate(certificateId=certificate)

    steps: list[Callable[[], None]] = [deactivate, detach, delete]
    attempts.delete(kind, certificate, *steps)
