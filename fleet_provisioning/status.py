"""How the tills are: the registry, joined with what Greengrass has heard and what tills said of themselves.

By the page (a stage's rows, core devices) and by the hundred (head items), never till by till.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from fleet_provisioning.backlog import MOST_KEYS, Reported, reports
from fleet_provisioning.registry import Registry, Row
from infra.names import Names
from infra.settings import Settings

PAGE = 100  # the most that ListCoreDevices returns at once
TOLD_BY = "Sync"  # the component that tells its version with its backlog


@dataclass(frozen=True)
class Wanted:
    """Which tills: without `state`, all that aren't decommissioned."""

    stages: Sequence[str]
    store: str | None = None
    state: str | None = None
    offline: bool = False
    behind: bool = False

    def row(self, row: Row) -> bool:
        state = row.state == self.state if self.state else row.state != "decommissioned"
        return state and (self.store is None or row.store == self.store)

    def till(self, till: "TillStatus") -> bool:
        if self.offline and till.connected is True:
            return False
        return not self.behind or bool(till.backlog) or till.current is False


@dataclass(frozen=True)
class TillStatus:
    """Times are ISO 8601 in UTC; None is what the cloud hasn't heard.

    `health` is Greengrass's own word, as of `health_at`; `heartbeat_at` the latest sign of life of any kind;
    `version` what the till runs of the component that reports, `target` what its stage is to run.
    """

    thing: str
    serial: str
    store: str
    stage: str
    terminals: tuple[str, ...]
    state: str
    state_reason: str | None
    connected: bool | None
    connected_at: str | None
    disconnected_at: str | None
    heartbeat_at: str | None
    health: str | None
    health_at: str | None
    nucleus: str | None
    version: str | None
    target: str | None
    backlog: int | None
    oldest_at: str | None
    certificate_expires_at: str | None
    rotation: str | None
    claim_expires_at: str | None
    refusals: int

    @property
    def current(self) -> bool | None:
        """Whether it runs what its stage is to run; None where either isn't known."""
        return None if self.version is None or self.target is None else self.version == self.target

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "terminals": list(self.terminals), "current": self.current}


def releases(settings: Settings) -> dict[str, str]:
    """By stage, the version of the reporting component that its release names."""
    return {
        stage: release.components[TOLD_BY].version
        for stage, release in settings.releases.items()
        if TOLD_BY in release.components
    }


def statuses(session: Any, names: Names, targets: Mapping[str, str], wanted: Wanted) -> Iterator[TillStatus]:
    """In order of stage and name."""
    devices = _core_devices(session.client("greengrassv2"), names)
    registry = Registry(session, names)
    for stage in wanted.stages:
        rows = (row for row in registry.in_stage(stage) if wanted.row(row))
        while hundred := list(islice(rows, MOST_KEYS)):
            told = reports(session, names, [row.thing for row in hundred if row.provisioned_at])
            for row in hundred:
                till = _status(row, devices.get(row.thing, {}), told.get(row.thing), targets.get(stage))
                if wanted.till(till):
                    yield till


def _status(row: Row, device: Mapping[str, Any], told: Reported | None, target: str | None) -> TillStatus:
    health_at = _utc(device.get("lastStatusUpdateTimestamp"))
    pending = row.state == "pending" and row.claim_expires_at is not None
    signs = (health_at, told.at if told else None, row.connected_at, row.disconnected_at)
    return TillStatus(
        thing=row.thing,
        serial=row.serial,
        store=row.store,
        stage=row.stage,
        terminals=row.terminals,
        state=row.state,
        state_reason=row.state_reason,
        connected=row.connected,
        connected_at=row.connected_at,
        disconnected_at=row.disconnected_at,
        heartbeat_at=max(filter(None, signs), default=None),
        health=device.get("status"),
        health_at=health_at,
        nucleus=device.get("coreVersion"),
        version=told.version if told else None,
        target=target,
        backlog=told.backlog if told else None,
        oldest_at=told.oldest_at if told else None,
        certificate_expires_at=row.certificate_expires_at,
        rotation=str(row.rotation["state"]) if row.rotation else None,
        claim_expires_at=_utc(datetime.fromtimestamp(row.claim_expires_at or 0, UTC)) if pending else None,
        refusals=row.refusals,
    )


def _core_devices(greengrass: Any, names: Names) -> dict[str, dict[str, Any]]:
    found = {}
    for page in greengrass.get_paginator("list_core_devices").paginate(PaginationConfig={"PageSize": PAGE}):
        for device in page["coreDevices"]:
            if device["coreDeviceThingName"].startswith(names.prefix):
                found[device["coreDeviceThingName"]] = device
    return found


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
