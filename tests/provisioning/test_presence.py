"""A row says who is connected, whatever order the events come in, and never more than the last one said."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.identity.presence import handler
from infra.identity.presence.handler import note, note_certificate

THING = "greentill-PI0001"
START = 1_795_000_000_000  # ms
HOURS = 3_600_000


@pytest.fixture
def table(account: Any) -> Any:
    account.table.put_item(Item={"thing": THING, "stage": "dev", "certificate_ids": ["c1"]})
    return account.table


def event(kind: str, version: int, after_ms: int, certificate: str = "c1") -> dict[str, Any]:
    return {
        "clientId": THING,
        "eventType": kind,
        "versionNumber": version,
        "timestamp": START + after_ms,
        "principalIdentifier": certificate,
    }


def connected(table: Any) -> Any:
    return table.get_item(Key={"thing": THING})["Item"].get("connected")


def test_a_till_that_was_taken_over_by_itself_is_connected_in_whatever_order_the_events_come(
    table: Any,
) -> None:
    events = (
        event("connected", 3, 0),
        event("connected", 4, 1_000),
        event("disconnected", 3, 1_200),  # the session that the new one ended, told after it
    )
    for order in permutations(events):
        table.put_item(Item={"thing": THING, "stage": "dev"})
        for one in order:
            note(table, one)
        assert connected(table) is True


def test_the_end_of_a_connection_wins_over_its_beginning_that_comes_late(table: Any) -> None:
    note(table, event("disconnected", 3, 5_000))
    assert note(table, event("connected", 3, 0)) is None
    assert connected(table) is False


def test_a_till_that_was_away_long_enough_counts_from_the_beginning_again(table: Any) -> None:
    note(table, event("connected", 41, 0))
    note(table, event("disconnected", 41, 60_000))
    note(table, event("connected", 0, 3 * HOURS))
    assert connected(table) is True


def test_an_event_that_comes_twice_changes_nothing(table: Any) -> None:
    note(table, event("connected", 3, 0))
    before = table.get_item(Key={"thing": THING})["Item"]
    note(table, event("connected", 3, 0))
    assert table.get_item(Key={"thing": THING})["Item"] == before
    note(table, event("disconnected", 3, 60_000))
    assert note(table, event("connected", 3, 0)) is None
    assert connected(table) is False


def test_a_certificate_whose_dates_could_not_be_asked_for_is_asked_about_again(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda repeats the event: without its dates, a certificate would expire unnoticed."""

    class Throttled:
        asked = 0

        def describe_certificate(self, certificateId: str) -> dict[str, Any]:  # noqa: N803 - boto3's
            self.asked += 1
            if self.asked == 1:
                error = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
                raise ClientError(error, "DescribeCertificate")
            dates = {key: datetime(2026, 11, 21, tzinfo=UTC) for key in ("notBefore", "notAfter")}
            return {"certificateDescription": {"certificateId": certificateId, "validity": dates}}

    iot = Throttled()
    monkeypatch.setenv("REGISTRY_TABLE", table.name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "client", lambda _service: iot)
    with pytest.raises(ClientError):
        handler.handle(event("connected", 3, 0), None)
    handler.handle(event("connected", 3, 0), None)
    assert table.get_item(Key={"thing": THING})["Item"]["certificate_expires_at"] == "2026-11-21T00:00:00Z"


def test_a_stranger_gets_no_row(table: Any) -> None:
    assert note(table, event("connected", 0, 0) | {"clientId": "greentill-PI9999"}) is None
    assert "Item" not in table.get_item(Key={"thing": "greentill-PI9999"})


def test_the_dates_of_the_certificate_come_from_aws_iot_unless_the_till_has_another_by_then(
    table: Any,
) -> None:
    class Iot:
        def describe_certificate(self, certificateId: str) -> dict[str, Any]:  # noqa: N803 - boto3's
            validity = {
                "notBefore": datetime(2026, 11, 21, tzinfo=UTC),
                "notAfter": datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
            }
            return {"certificateDescription": {"validity": validity}}

    row = note(table, event("connected", 3, 0))
    assert row is not None
    note_certificate(table, Iot(), row)
    item = table.get_item(Key={"thing": THING})["Item"]
    assert (item["certificate_made_at"], item["certificate_expires_at"]) == (
        "2026-11-21T00:00:00Z",
        "2049-12-31T23:59:59Z",
    )
    assert item["dated_certificate"] == "c1"
