"""Sums arrive in the table once they have changed, and an older one never takes a newer one's place."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from edge_components.sync.cloud import Cloud
from edge_components.sync.rollups import PAGE, SINK, Changed, RollupSink, put
from edge_components.sync.settings import Settings
from edge_components.sync.state import State
from tests.aggregator.conftest import TABLE, items, make_table, sync_settings
from tests.aggregator.ledger_in_front import EPOCH, LATER, THING, expected
from tests.aggregator.test_aggregation import Till

DAY = f"{EPOCH}#day#2026-11-21"


class Delivery:
    """A till whose sums are delivered, step by step."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.till = Till(folder)
        self.settings = settings
        self.start()

    def start(self) -> None:
        self.state = State(self.settings.database)
        self.cloud = Cloud(self.settings)
        self.sink = RollupSink(self.settings, self.state, self.cloud)

    def restart(self, *, losing_state: bool) -> None:
        self.state.close()
        if losing_state:
            for suffix in ("", "-wal", "-shm"):
                self.settings.database.with_name(f"sync.db{suffix}").unlink(missing_ok=True)
        self.start()

    def deliver(self) -> None:
        self.till.count()
        while self.sink.step():
            pass

    def end(self) -> None:
        self.state.close()
        self.till.end()


@pytest.fixture
def delivery(dynamodb: Any, tmp_path: Path) -> Iterator[Delivery]:
    delivery = Delivery(tmp_path, sync_settings(tmp_path))
    yield delivery
    delivery.end()


class Failing:
    """A table that fails some of the time, before or after it has done what was asked."""

    def __init__(self, client: Any, outcomes: Iterator[str]) -> None:
        self._client = client
        self._outcomes = outcomes
        self.calls = 0

    def put_item(self, **request: Any) -> Any:
        self.calls += 1
        outcome = next(self._outcomes, "well")
        if outcome == "refused":
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")
        answer = self._client.put_item(**request)
        if outcome == "answer lost":
            raise EndpointConnectionError(endpoint_url="the table")
        return answer


def payloads(dynamodb: Any, table: str = TABLE) -> dict[str, Any]:
    return {bucket: json.loads(item["payload"]["S"]) for bucket, item in items(dynamodb, table).items()}


def test_every_sum_arrives_as_it_is_on_the_till(dynamodb: Any, delivery: Delivery) -> None:
    for hour in range(24):
        for _ in range(5):
            delivery.till.ledger.ring(recorded_at=f"2026-11-21T{hour:02d}:00:00.000000Z")
    delivery.till.ledger.open_epoch(LATER)
    delivery.till.ledger.ring("refund")
    delivery.deliver()
    assert payloads(dynamodb) == expected(delivery.till.ledger.records)
    item = items(dynamodb)[DAY]
    assert item["pk"]["S"] == THING
    assert (item["kind"]["S"], item["period"]["S"], item["epoch"]["S"]) == ("day", "2026-11-21", EPOCH)
    assert (item["net"]["N"], item["count"]["N"], item["version"]["N"]) == ("66000", "120", "121")


def test_more_changes_than_a_page_arrive_whole(dynamodb: Any, delivery: Delivery) -> None:
    delivery.till.ledger.ring(business_date="2026-01-01", recorded_at="2026-01-01T09:00:00.000000Z")
    for day in range(PAGE + 7):  # from here on two buckets change at once, across the ends of pages
        date = f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}"
        delivery.till.ledger.ring(business_date=date, recorded_at=f"{date}T10:00:00.000000Z")
    delivery.deliver()
    assert payloads(dynamodb) == expected(delivery.till.ledger.records)


def test_what_has_not_changed_is_not_sent_again(dynamodb: Any, delivery: Delivery) -> None:
    for hour in range(10):
        delivery.till.ledger.ring(recorded_at=f"2026-11-21T{hour:02d}:00:00.000000Z")
    delivery.deliver()
    counting = Failing(delivery.cloud.dynamodb, iter(()))
    delivery.cloud._clients["dynamodb"] = counting
    delivery.till.ledger.ring(recorded_at="2026-11-21T03:00:00.000000Z")
    delivery.deliver()
    assert counting.calls == 2  # the hour and the day
    assert payloads(dynamodb) == expected(delivery.till.ledger.records)


def test_a_late_record_changes_its_hour_in_the_table_too(dynamodb: Any, delivery: Delivery) -> None:
    delivery.till.ledger.ring(recorded_at="2026-11-21T12:00:00.000000Z")
    delivery.deliver()
    delivery.till.ledger.ring(recorded_at="2026-11-20T23:00:00.000000Z")
    delivery.deliver()
    assert payloads(dynamodb) == expected(delivery.till.ledger.records)


def test_throttled_calls_and_lost_answers_neither_lose_nor_double_a_sum(
    dynamodb: Any, delivery: Delivery
) -> None:
    for hour in range(12):
        delivery.till.ledger.ring(recorded_at=f"2026-11-21T{hour:02d}:00:00.000000Z")
    delivery.till.count()
    failing = Failing(
        delivery.cloud.dynamodb, iter(["well", "refused", "answer lost", "well", "refused"] * 3)
    )
    delivery.cloud._clients["dynamodb"] = failing
    for _ in range(40):
        try:
            if not delivery.sink.step():
                break
        except (ClientError, EndpointConnectionError):
            continue
    assert payloads(dynamodb) == expected(delivery.till.ledger.records)


def test_a_lost_sync_db_changes_nothing_in_the_table(dynamodb: Any, delivery: Delivery) -> None:
    delivery.till.ledger.ring()
    delivery.deliver()
    before = items(dynamodb)
    delivery.restart(losing_state=True)
    delivery.deliver()
    assert items(dynamodb) == before


def test_lost_sums_are_counted_again_and_nothing_goes_back_in_the_table(
    dynamodb: Any, delivery: Delivery
) -> None:
    for _ in range(120):
        delivery.till.ledger.ring()
    delivery.deliver()
    before = items(dynamodb)
    delivery.till.forget()
    delivery.till.aggregation.step()  # counted in part: older versions
    delivery.restart(losing_state=True)
    while delivery.sink.step():
        pass
    assert items(dynamodb) == before
    delivery.deliver()
    assert items(dynamodb) == before


def test_other_sums_under_the_same_version_are_told_and_not_overwritten(
    dynamodb: Any, delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    delivery.till.ledger.ring()
    delivery.till.count()
    other = json.dumps({"net": 1, "count": 1})
    dynamodb.put_item(**put(TABLE, THING, Changed(DAY, 2, EPOCH, other)))
    delivery.deliver()
    assert items(dynamodb)[DAY]["payload"]["S"] == other
    assert f"ALARM the table has other sums for {DAY}" in caplog.text


def test_a_till_without_an_aggregator_has_nothing_to_deliver(dynamodb: Any, tmp_path: Path) -> None:
    settings = sync_settings(tmp_path)
    state = State(settings.database)
    assert RollupSink(settings, state, Cloud(settings)).step() is False
    state.close()


@pytest.mark.twin
def test_sums_arrive_at_the_twin_and_only_newer_versions_replace_them(
    cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    table = f"rollups-{uuid.uuid4().hex[:8]}"
    client = cloud.client("dynamodb")
    make_table(client, table)
    delivery = Delivery(tmp_path, sync_settings(tmp_path, table))
    for hour in range(3):
        delivery.till.ledger.ring(recorded_at=f"2026-11-21T{hour:02d}:00:00.000000Z")
    delivery.deliver()
    delivery.restart(losing_state=True)
    delivery.till.ledger.ring("void")
    delivery.deliver()
    assert delivery.state.watermark(SINK, EPOCH) == 5
    assert payloads(client, table) == expected(delivery.till.ledger.records)
    delivery.end()
    client.delete_table(TableName=table)
