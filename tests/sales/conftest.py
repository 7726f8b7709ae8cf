from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from infra.names import Names
from sales.reconcile import Cloud
from tests.sales.chains import Shelf


@pytest.fixture
def fleet(monkeypatch) -> Iterator[Cloud]:
    for name in [name for name in __import__("os").environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        session = boto3.Session(region_name="eu-west-1")
        yield Cloud(
            Names("greentill", "0" * 12, "eu-west-1"), session.client("dynamodb"), session.client("s3")
        )


@pytest.fixture
def shelf(fleet: Cloud) -> Shelf:
    return make_shelf(fleet)


def make_shelf(fleet: Cloud) -> Shelf:
    """The tables and the bucket that the Storage stack makes."""
    names = fleet.names
    index = {
        "IndexName": "by-store-date",
        "KeySchema": [
            {"AttributeName": "store_date", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    for table, key in ((names.sales_table, ("pk", "sk")), (names.registry_table, ("thing",))):
        of_sales = table == names.sales_table
        attributes = (*key, "store_date") if of_sales else key
        fleet.dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if of_sales else {}),
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in attributes],
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
        )
    fleet.s3.create_bucket(
        Bucket=names.sales_bucket, CreateBucketConfiguration={"LocationConstraint": names.region}
    )
    return Shelf(fleet.dynamodb, fleet.s3, names.sales_table, names.sales_bucket, names.registry_table)
