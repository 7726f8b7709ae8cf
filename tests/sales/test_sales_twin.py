"""The twin's cloud answers `greentill sales` as it expects of AWS."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.names import Names
from sales.explain import explain
from sales.export import export
from sales.reconcile import Cloud, reconcile
from sales.till_ledger.delivery import recover
from tests.sales.chains import DAY, chain
from tests.sales.conftest import make_shelf
from tests.sales.ledgers import write_ledger
from tests.sales.test_export_and_explain import with_bodies


@pytest.fixture
def twin_fleet(cloud: Any) -> Iterator[Cloud]:
    names = Names(f"s{uuid.uuid4().hex[:10]}", cloud.state.cloud.account, cloud.state.cloud.region)
    fleet = Cloud(names, cloud.client("dynamodb"), cloud.client("s3"))
    shelf = make_shelf(fleet)
    yield fleet
    for table in (shelf.table, shelf.registry):
        fleet.dynamodb.delete_table(TableName=table)
    for entry in fleet.s3.list_objects_v2(Bucket=shelf.bucket).get("Contents", []):
        fleet.s3.delete_object(Bucket=shelf.bucket, Key=entry["Key"])
    fleet.s3.delete_bucket(Bucket=shelf.bucket)


@pytest.mark.twin
def test_a_dead_tills_ledger_is_recovered_proven_explained_and_exported_at_the_twin(
    twin_fleet: Cloud, tmp_path: Path
) -> None:
    thing = twin_fleet.names.thing("LAB00001")
    records = with_bodies(chain(thing=thing, sales=60))
    card = write_ledger(tmp_path / "ledger.db", records)
    twin_fleet.dynamodb.put_item(TableName=twin_fleet.names.registry_table, Item={"thing": {"S": thing}})
    recovery = recover(card, twin_fleet, deliver=True)
    assert recovery.complete
    assert (recovery.missing_in_table, recovery.missing_in_bucket) == (61, 61)
    again = recover(card, twin_fleet, deliver=True)
    assert (again.missing_in_table, again.missing_in_bucket) == (0, 0)
    verdict = reconcile(twin_fleet)
    assert verdict.clean
    [till] = verdict.tills
    found = explain(twin_fleet, records[33]["receipt_no"])
    assert (found.thing, found.seq, found.complete) == (thing, 34, True)
    exported = export(twin_fleet, "ST-367", DAY, tmp_path)
    assert exported.records == 60
    assert exported.totals["USD"] == till.money_in_table
