"""Products, and an S3 to publish them to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from catalogue.products import Product
from catalogue.publish import Outcome, Shelf, publish
from infra.settings import Store

REGION = "eu-west-1"
BUCKET = "greentill-artifacts-123456789012-eu-west-1"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def product(sku: str = "1001", **values: Any) -> Product:
    return Product(
        **{
            "sku": sku,
            "description": f"Whole milk {sku}",
            "department": "Dairy",
            "unit_price": "3.89",
            "tax_code": "F",
            "sold_by": "each",
            "barcodes": (),
            **values,
        }
    )


def shop(store: str = "ST-367", currency: str = "USD") -> Store:
    return Store(
        id=store,
        name="Main Street",
        time_zone="America/New_York",
        currency=currency,
        day_starts="04:00",
        prices_include_tax=True,
        locale="en-US",
    )


class Publisher:
    """Head office: publishes a minute later each time."""

    def __init__(self, s3: Any, bucket: str, work: Path) -> None:
        self.shelf = Shelf(s3, bucket, work)
        self.now = NOON

    def publish(self, *products: Product, store: str = "ST-367", currency: str = "USD") -> Outcome:
        self.now += timedelta(minutes=1)
        in_order = sorted(products, key=lambda one: one.sku)
        (outcome,) = publish(self.shelf, in_order, [shop(store, currency)], self.now, lambda _: None)
        return outcome


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "somebody")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield client


@pytest.fixture
def publisher(s3: Any, tmp_path: Path) -> Publisher:
    work = tmp_path / "work"
    work.mkdir()
    return Publisher(s3, BUCKET, work)
