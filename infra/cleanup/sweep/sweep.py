"""Everything of a fleet that no stack owns, in the order in which AWS lets it go."""

from typing import Any

from infra.cleanup.sweep import greengrass, identities
from infra.cleanup.sweep.attempt import Attempts
from infra.names import Names


def sweep(
    *, iot: Any, data: Any, greengrassv2: Any, names: Names, stages: list[str], attempts: Attempts
) -> None:
    """Delete what provisioning and releases made. Safe to repeat: it finds what is left and goes on.

    `data` is an iot-data client. Only names of this fleet are touched. What can't be deleted is in
    `attempts.failures`. Raises OutOfTimeError when the time is over.
    """
    identities.close_the_door(iot, names, attempts)
    identities.retire_thing_type(iot, names, attempts)
    identities.sweep_certificates(iot, names.claim_policy, "claim certificate", attempts)
    greengrass.sweep_deployments(greengrassv2, names, attempts)
    greengrass.sweep_core_devices(greengrassv2, names, attempts)
    identities.sweep_certificates(iot, names.core_policy, "certificate", attempts)
    identities.sweep_things(iot, data, names, stages, attempts)
    greengrass.sweep_component_versions(greengrassv2, names, attempts)
