"""`till status` asks by page and by the hundred, never per till, and joins what the cloud knows of a till."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from fleet_provisioning.status import TillStatus, Wanted, statuses
from greentill.till_status import _table

TARGETS = {"dev": "1.2.0"}


class Paginator:
    def __init__(self, asked: Counter[str], devices: list[dict[str, Any]]) -> None:
        self.asked, self.devices = asked, devices

    def paginate(self, PaginationConfig: dict[str, int]) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's
        size = PaginationConfig["PageSize"]
        for start in range(0, max(1, len(self.devices)), size):
            self.asked["ListCoreDevices"] += 1
            yield {"coreDevices": self.devices[start : start + size]}


class Session:
    """moto's tables, with a Greengrass that moto doesn't have; counts requests by operation."""

    def __init__(self, session: Any, devices: list[dict[str, Any]] | None = None) -> None:
        self.session, self.devices = session, devices or []
        self.asked: Counter[str] = Counter()

    def resource(self, service: str) -> Any:
        resource = self.session.resource(service)
        resource.meta.client.meta.events.register("before-send.dynamodb", self.count)
        return resource

    def count(self, event_name: str, **_: Any) -> None:
        self.asked[event_name.rpartition(".")[2]] += 1

    def client(self, _service: str) -> Any:
        return self

    def get_paginator(self, _: str) -> Paginator:
        return Paginator(self.asked, self.devices)


@pytest.fixture
def sales(account: Any) -> Any:
    kinds = {"pk": "HASH", "sk": "RANGE"}
    account.session.client("dynamodb").create_table(
        TableName=account.names.sales_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in kinds],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds.items()],
    )
    return account.session.resource("dynamodb").Table(account.names.sales_table)


def row(account: Any, serial: str, **more: Any) -> dict[str, Any]:
    return {
        "thing": account.names.thing(serial),
        "serial": serial,
        "store": "ST-367",
        "stage": "dev",
        "terminals": ["T1"],
        "state": "provisioned",
        "created_at": "2026-11-20T09:00:00Z",
        "created_by": "x",
        "provisioned_at": "2026-11-20T10:00:00Z",
        **more,
    }


def head(account: Any, serial: str, **more: Any) -> dict[str, Any]:
    return {"pk": account.names.thing(serial), "sk": "head", "epoch": "a1", "seq": 7, **more}


def listed(session: Session, account: Any, **wanted: Any) -> list[TillStatus]:
    return list(statuses(session, account.names, TARGETS, Wanted(("dev", "prod"), **wanted)))


def test_a_till_shows_what_registry_greengrass_and_the_till_itself_say(account: Any, sales: Any) -> None:
    account.table.put_item(
        Item=row(
            account,
            "PI0001",
            connected=True,
            connected_at="2026-11-21T08:00:00Z",
            certificate_expires_at="2049-12-31T23:59:59Z",
            rotation={"id": "1", "state": "signed"},
        )
    )
    sales.put_item(
        Item=head(
            account,
            "PI0001",
            backlog=3,
            oldest_at="2026-11-21T08:59:00Z",
            reported_at="2026-11-21T09:30:00Z",
            version="1.1.0",
        )
    )
    device = {
        "coreDeviceThingName": "greentill-PI0001",
        "status": "HEALTHY",
        "coreVersion": "2.18.2",
        "lastStatusUpdateTimestamp": datetime(2026, 11, 21, 9, tzinfo=UTC),
    }
    (till,) = listed(Session(account.session, [device]), account)
    assert (till.connected, till.health, till.health_at) == (True, "HEALTHY", "2026-11-21T09:00:00Z")
    assert till.heartbeat_at == "2026-11-21T09:30:00Z"
    assert (till.nucleus, till.version, till.target, till.current) == ("2.18.2", "1.1.0", "1.2.0", False)
    assert (till.backlog, till.oldest_at) == (3, "2026-11-21T08:59:00Z")
    assert (till.certificate_expires_at, till.rotation) == ("2049-12-31T23:59:59Z", "signed")


def test_a_till_that_was_never_heard_of_is_listed_all_the_same(account: Any, sales: Any) -> None:
    account.table.put_item(
        Item=row(account, "PI0001", state="pending", provisioned_at=None, claim_expires_at=1_800_000_000)
    )
    (till,) = listed(Session(account.session), account)
    assert (till.heartbeat_at, till.backlog, till.current) == (None, None, None)
    assert till.claim_expires_at == "2027-01-15T08:00:00Z"


def test_the_filters_leave_what_was_asked_for(account: Any, sales: Any) -> None:
    for item in (
        row(account, "PI0001", connected=True),
        row(account, "PI0002", connected=False, store="ST-406"),
        row(account, "PI0003", connected=True, stage="prod"),
        row(account, "PI0004", state="decommissioned"),
        row(account, "PI0005", state="revoked"),
    ):
        account.table.put_item(Item=item)
    sales.put_item(Item=head(account, "PI0001", backlog=0, version="1.1.0", reported_at="x"))
    sales.put_item(Item=head(account, "PI0002", backlog=0, version="1.2.0", reported_at="x"))
    sales.put_item(Item=head(account, "PI0003", backlog=4, version="1.1.0", reported_at="x"))
    session = Session(account.session)

    def serials(**wanted: Any) -> list[str]:
        return [till.serial for till in listed(session, account, **wanted)]

    assert serials() == ["PI0001", "PI0002", "PI0005", "PI0003"]
    assert serials(store="ST-406") == ["PI0002"]
    assert serials(offline=True) == ["PI0002", "PI0005"]
    assert serials(behind=True) == ["PI0001", "PI0003"]
    assert serials(state="decommissioned") == ["PI0004"]


def test_requests_grow_by_page_and_by_the_hundred_not_by_till(account: Any, sales: Any) -> None:
    with account.table.batch_writer() as batch:
        for number in range(500):
            batch.put_item(row(account, f"PI{number:05}", note="x" * 5_000))
    with sales.batch_writer() as batch:
        for number in range(500):
            batch.put_item(head(account, f"PI{number:05}", backlog=1, reported_at="2026-11-21T09:30:00Z"))
    devices = [{"coreDeviceThingName": f"greentill-PI{number:05}"} for number in range(500)]
    session = Session(account.session, devices)
    found = listed(session, account)
    assert len(found) == 500
    assert all(till.backlog == 1 for till in found)
    assert session.asked["BatchGetItem"] == 5
    assert session.asked["ListCoreDevices"] == 5
    assert session.asked["Query"] <= 6  # 2.5 MB in pages of 1 MB, and a stage without a till
    assert set(session.asked) == {"BatchGetItem", "ListCoreDevices", "Query"}


@pytest.mark.parametrize(
    "told",
    [
        {
            "backlog": "many",
            "reported_at": 5,
            "oldest_at": ["x"],
            "version": {"a": 1},
            "seq": "x",
            "epoch": 1,
        },
        {"backlog": -1, "version": "\x1b[2J", "reported_at": "\x07", "oldest_at": True},
        {"version": "9" * 100_000, "backlog": Decimal("1.5")},
    ],
    ids=["kinds", "control characters", "sizes"],
)
def test_a_till_that_writes_nonsense_of_itself_spoils_the_list_of_no_other(
    account: Any, sales: Any, told: dict[str, Any]
) -> None:
    for serial, said in (("PI0001", told), ("PI0002", {"backlog": 3, "version": "1.2.0"})):
        account.table.put_item(Item=row(account, serial))
        sales.put_item(Item=head(account, serial, **said))
    wild, sound = listed(Session(account.session), account)
    assert (wild.version, wild.backlog, wild.oldest_at) == (None, None, None)
    assert (sound.version, sound.backlog) == ("1.2.0", 3)


def test_a_version_that_looks_like_markup_is_shown_as_it_is(account: Any, sales: Any) -> None:
    account.table.put_item(Item=row(account, "PI0001"))
    sales.put_item(Item=head(account, "PI0001", version="[/red][bold]"))
    shown = io.StringIO()
    console = Console(width=250, file=shown)
    console.print(_table(listed(Session(account.session), account)))
    assert "[/red][bold]" in shown.getvalue()
