"""A day added up from the bucket is the day that the till added up, through whatever happened on the way."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer.testing import CliRunner

from edge_components.edgekit.ledger import LedgerReader
from edge_components.sync.bucket import BucketSink
from edge_components.sync.cloud import Cloud as TillCloud
from edge_components.sync.rollups import RollupSink
from edge_components.sync.state import State
from greentill.__main__ import build
from infra.names import Names
from sales import recompute as recomputing
from sales.recompute import Recomputed, recompute
from sales.reconcile import Cloud
from tests.aggregator.conftest import REGION, items, sync_settings
from tests.aggregator.ledger_in_front import EPOCH, LATER, THING, expected
from tests.aggregator.test_aggregation import Till

NAMES = Names("greentill", "123456789012", REGION)
TODAY, TOMORROW = "2026-11-20", "2026-11-21"


class Faulty:
    """A service that now and then refuses, or does what was asked and loses the answer."""

    def __init__(self, client: Any, chance: random.Random) -> None:
        self._client = client
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return self._wrapped(call) if name in ("put_item", "put_object") else call

    def _wrapped(self, call: Any) -> Any:
        def attempt(**request: Any) -> Any:
            fate = self._chance.random()
            if fate < 0.2:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "Put")
            answer = call(**request)
            if fate < 0.4:
                raise EndpointConnectionError(endpoint_url="the cloud")
            return answer

        return attempt


class Delivered:
    """A till that counts and delivers, and the cloud that head office looks at."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.till = Till(folder)
        self.chance = chance
        self.settings = sync_settings(
            folder, sales_bucket=NAMES.sales_bucket, segment_records=7, segment_seconds=0.1
        )
        self.start()
        self.cloud = Cloud(
            NAMES, boto3.client("dynamodb", region_name=REGION), boto3.client("s3", region_name=REGION)
        )
        self.cloud.s3.create_bucket(
            Bucket=NAMES.sales_bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def start(self) -> None:
        self.state = State(self.settings.database)
        cloud = TillCloud(self.settings)
        for service in ("dynamodb", "s3"):
            cloud._clients[service] = Faulty(boto3.client(service, region_name=REGION), self.chance)
        self.bucket = BucketSink(self.settings, LedgerReader(self.settings.ledger), self.state, cloud)
        self.rollups = RollupSink(self.settings, self.state, cloud)

    def restart(self) -> None:
        self.state.close()
        for suffix in ("", "-wal", "-shm"):
            self.settings.database.with_name(f"sync.db{suffix}").unlink(missing_ok=True)
        self.start()

    def drain(self, *sinks: Any) -> None:
        for sink in sinks:
            for _ in range(500):
                try:
                    if not sink.step():
                        break
                except (ClientError, EndpointConnectionError):
                    continue

    def drain_all(self) -> None:
        self.till.count()
        self.drain(self.bucket, self.rollups)

    def recompute(self, date: str) -> Recomputed:
        return recompute(self.cloud, date)

    def end(self) -> None:
        self.state.close()
        self.till.end()


@pytest.fixture
def delivered(dynamodb: Any, tmp_path: Path) -> Iterator[Delivered]:
    delivered = Delivered(tmp_path, random.Random(367))  # noqa: S311 - the same faults each time
    yield delivered
    delivered.end()


def ring(delivered: Delivered, count: int, date: str = TODAY) -> None:
    for _ in range(count):
        kind = delivered.chance.choice(["sale", "sale", "sale", "refund", "void"])
        lines = [
            (delivered.chance.choice(["DAIRY", "MEAT", None]), delivered.chance.randrange(1, 900))
            for _ in range(delivered.chance.randrange(4))
        ]
        delivered.till.ledger.ring(
            kind,
            lines=lines,
            terminal=delivered.chance.choice(["T1", "T2"]),
            business_date=date,
            recorded_at=f"{date}T{delivered.chance.randrange(24):02d}:00:00.000000Z",
        )


def agrees(delivered: Delivered, date: str) -> None:
    found = delivered.recompute(date)
    wanted = {
        bucket: one
        for bucket, one in expected(delivered.till.ledger.records).items()
        if bucket.endswith(f"day#{date}")
    }
    assert found.sound
    assert {day.computed.bucket: json.loads(day.computed.payload()) for day in found.days} == wanted
    assert {str(day.state) for day in found.days} == {"agrees"}
    assert {day.thing for day in found.days} == {THING}
    told = items(delivered.cloud.dynamodb)
    assert {bucket: json.loads(told[bucket]["payload"]["S"]) for bucket in wanted} == wanted


def test_a_day_agrees_with_the_till_through_lost_answers_lost_files_and_a_new_epoch(
    delivered: Delivered,
) -> None:
    ring(delivered, 40)
    delivered.drain_all()
    delivered.restart()  # sync.db is gone: segments are adopted or put again, sums sent again
    ring(delivered, 13)
    delivered.till.forget()  # and rollups.db
    delivered.drain_all()
    delivered.till.ledger.open_epoch(LATER, business_date=TODAY)
    ring(delivered, 9)
    ring(delivered, 11, TOMORROW)
    delivered.drain_all()
    agrees(delivered, TODAY)
    agrees(delivered, TOMORROW)


def test_a_record_that_lies_in_two_segments_counts_once(delivered: Delivered) -> None:
    ring(delivered, 20)
    delivered.drain_all()
    keys = [
        entry["Key"] for entry in delivered.cloud.s3.list_objects_v2(Bucket=NAMES.sales_bucket)["Contents"]
    ]
    records = [one for one in delivered.till.ledger.records if one["business_date"] == TODAY][:5]
    from edge_components.sync.bucket import segment

    rows = [
        row
        for row in LedgerReader(delivered.settings.ledger).after(EPOCH, 0)
        if row.seq in {one["seq"] for one in records}
    ]
    double = segment(THING, rows)
    assert double.key not in keys
    delivered.cloud.s3.put_object(Bucket=NAMES.sales_bucket, Key=double.key, Body=double.body)
    agrees(delivered, TODAY)


def test_what_is_still_on_its_way_is_told_from_what_is_wrong(delivered: Delivered) -> None:
    ring(delivered, 10)
    delivered.drain_all()
    ring(delivered, 10)
    delivered.drain(delivered.bucket)
    (behind,) = delivered.recompute(TODAY).days
    assert str(behind.state) == "the table is behind"
    ring(delivered, 3)
    delivered.till.count()
    delivered.drain(delivered.rollups)
    found = delivered.recompute(TODAY)
    assert [str(day.state) for day in found.days] == ["the bucket is behind"]
    assert found.sound


def test_a_wrong_sum_in_the_table_and_a_damaged_segment_are_found(delivered: Delivered) -> None:
    ring(delivered, 10)
    delivered.drain_all()
    bucket = f"{EPOCH}#day#{TODAY}"
    item = items(delivered.cloud.dynamodb)[bucket]
    payload = json.loads(item["payload"]["S"])
    payload["sales"] += 1
    item["payload"]["S"] = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    delivered.cloud.dynamodb.put_item(TableName=NAMES.rollups_table, Item=item)
    found = delivered.recompute(TODAY)
    assert [str(day.state) for day in found.days] == ["differs"]
    assert not found.sound
    key = delivered.cloud.s3.list_objects_v2(Bucket=NAMES.sales_bucket, Prefix=f"sales/date={TODAY}/")[
        "Contents"
    ][0]["Key"]
    delivered.cloud.s3.put_object(Bucket=NAMES.sales_bucket, Key=key, Body=b"not a segment")
    assert any(finding.detail.startswith(key) for finding in delivered.recompute(TODAY).findings)


def test_the_command_says_how_a_day_stands_and_fails_when_sums_differ(
    delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring(delivered, 10)
    delivered.drain_all()
    monkeypatch.setattr("greentill.sales_recompute.cloud", lambda: delivered.cloud)
    command = ["sales", "recompute", "--date", TODAY, "--json"]
    answer = CliRunner().invoke(build(), command)
    assert answer.exit_code == 0, answer.output
    (till,) = json.loads(answer.stdout)["tills"]
    assert (till["thing"], till["state"]) == (THING, "agrees")
    monkeypatch.setattr(
        recomputing, "_told", lambda *_: json.dumps({**json.loads(till["payload"]), "net": 1})
    )
    assert CliRunner().invoke(build(), command).exit_code == 1
    shown = CliRunner().invoke(build(), command[:-1]).output
    assert "differs" in shown
    assert "minor units" in shown


@pytest.mark.parametrize("date", ["yesterday", "2026-02-30", "20.11.2026"])
def test_a_date_that_is_none_is_answered_with_how_to_write_it(date: str) -> None:
    answer = CliRunner().invoke(build(), ["sales", "recompute", "--date", date])
    assert str(answer.exception) == f"{date!r} is no date; write it as 2026-11-21"
