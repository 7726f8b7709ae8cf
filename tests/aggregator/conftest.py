"""DynamoDB and S3 in process, and what sync needs to deliver to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from edge_components.sync.cloud import Cloud
from edge_components.sync.settings import Settings
from tests.aggregator.ledger_in_front import THING

REGION = "eu-west-1"
TABLE = "greentill-rollups"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "till")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        make_table(client, TABLE)
        yield client


def make_table(client: Any, name: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


def sync_settings(folder: Path, table: str = TABLE, **values: Any) -> Settings:
    return Settings(data_dir=folder, thing=THING, region=REGION, rollups_table=table, **values)


def sync_cloud(settings: Settings) -> Cloud:
    return Cloud(settings)


def items(client: Any, table: str = TABLE) -> dict[str, dict[str, Any]]:
    found = client.scan(TableName=table)["Items"]
    assert {one["pk"]["S"] for one in found} <= {THING}
    return {one["sk"]["S"]: one for one in found}
