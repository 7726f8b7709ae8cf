"""How the tills are: the registry joined with what Greengrass has heard, page by page, never till by till."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from fleet_provisioning.registry import Registry, Row
from infra.names import Names

PAGE = 100  # the most that ListCoreDevices returns at once


@dataclass(frozen=True)
class TillStatus:
    """`health` is Greengrass's own word (None: it never heard of the till); times ISO 8601 in UTC."""

    thing: str
    serial: str
    store: str
    stage: str
    state: str
    terminals: tuple[str, ...]
    health: str | None
    heard_at: str | None
    connected: bool | None
    claim_expires_at: str | None
    refusals: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def statuses(
    session: Any, names: Names, stages: Sequence[str], *, store: str | None = None
) -> Iterator[TillStatus]:
    """Tills of the stages, in order of stage and name. Two lists are held in memory, no call is per till."""
    devices = _core_devices(session.client("greengrassv2"), names)
    connected = _connectivity(session.client("iot"), names)
    registry = Registry(session, names)
    for stage in stages:
        for row in registry.in_stage(stage):
            if store is None or row.store == store:
                yield _status(row, devices.get(row.thing), connected.get(row.thing))


def _status(row: Row, device: dict[str, Any] | None, connected: bool | None) -> TillStatus:
    heard = device.get("lastStatusUpdateTimestamp") if device else None
    pending = row.state == "pending" and row.claim_expires_at is not None
    return TillStatus(
        thing=row.thing,
        serial=row.serial,
        store=row.store,
        stage=row.stage,
        state=row.state,
        terminals=row.terminals,
        health=device.get("status") if device else None,
        heard_at=_utc(heard) if heard else None,
        connected=connected,
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


def _connectivity(iot: Any, names: Names) -> dict[str, bool]:
    """From the fleet index; nothing where indexing is off, which is the account's own choice."""
    query: dict[str, Any] = {"queryString": f"thingName:{names.prefix}*", "maxResults": PAGE}
    found: dict[str, bool] = {}
    while True:
        try:
            page = iot.search_index(**query)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"IndexNotReadyException", "ResourceNotFoundException"}:
                return {}
            raise
        for thing in page.get("things", []):
            if "connectivity" in thing:
                found[thing["thingName"]] = bool(thing["connectivity"].get("connected"))
        if not page.get("nextToken"):
            return found
        query["nextToken"] = page["nextToken"]


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
