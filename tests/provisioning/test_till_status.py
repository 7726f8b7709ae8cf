"""`till status` asks by page, never per till, and joins what the registry and Greengrass know."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from fleet_provisioning.kits import Order
from fleet_provisioning.status import statuses


class Paginator:
    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self.pages = pages

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return self.pages


class Session:
    """moto's registry, with a Greengrass and an index that moto doesn't have; counts requests."""

    def __init__(self, session: Any, devices: list[dict[str, Any]], index: bool = True) -> None:
        self.session, self.devices, self.index = session, devices, index
        self.queries = 0

    def resource(self, service: str) -> Any:
        resource = self.session.resource(service)
        resource.meta.client.meta.events.register("before-send.dynamodb", self.count)
        return resource

    def count(self, **_: Any) -> None:
        self.queries += 1

    def client(self, service: str) -> Any:
        return self

    def get_paginator(self, _: str) -> Paginator:
        return Paginator([{"coreDevices": self.devices}])

    def search_index(self, **_: Any) -> dict[str, Any]:
        if not self.index:
            raise ClientError({"Error": {"Code": "IndexNotReadyException", "Message": ""}}, "SearchIndex")
        return {"things": [{"thingName": "greentill-PI0001", "connectivity": {"connected": True}}]}


HEARD = {
    "coreDeviceThingName": "greentill-PI0001",
    "status": "HEALTHY",
    "lastStatusUpdateTimestamp": datetime(2026, 11, 21, 9, tzinfo=UTC),
}


def test_a_till_shows_what_registry_greengrass_and_index_know(account: Any, tmp_path: Path):
    account.maker().make(Order("PI0001", "ST-367", "dev"), tmp_path / "1")
    account.maker().make(Order("PI0002", "ST-406", "dev"), tmp_path / "2")
    account.maker().make(Order("PI0003", "ST-406", "prod"), tmp_path / "3")
    session = Session(account.session, [HEARD])
    first, second = statuses(session, account.names, ["dev"])
    assert (first.health, first.heard_at, first.connected) == ("HEALTHY", "2026-11-21T09:00:00Z", True)
    assert (second.health, second.connected, second.state) == (None, None, "pending")
    assert [till.serial for till in statuses(session, account.names, ["dev", "prod"], store="ST-406")] == [
        "PI0002",
        "PI0003",
    ]


def test_it_works_where_the_account_indexes_nothing(account: Any, tmp_path: Path):
    account.maker().make(Order("PI0001", "ST-367", "dev"), tmp_path / "1")
    (till,) = statuses(Session(account.session, [], index=False), account.names, ["dev"])
    assert till.connected is None


def test_requests_grow_by_page_not_by_till(account: Any):
    item = {"stage": "dev", "store": "ST-367", "state": "pending", "created_at": "", "created_by": "x"}
    with account.table.batch_writer() as batch:
        for number in range(300):
            serial = f"PI{number:05}"
            batch.put_item({**item, "thing": f"greentill-{serial}", "serial": serial, "note": "x" * 10_000})
    session = Session(account.session, [])
    assert len(list(statuses(session, account.names, ["dev"]))) == 300
    assert 2 <= session.queries <= 6  # 3 MB in pages of 1 MB
