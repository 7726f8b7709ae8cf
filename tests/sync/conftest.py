"""A cloud (moto, on loopback) behind a proxy that can fail, and a till in front of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.sync.faulty_proxy import FaultyProxy
from tests.sync.till import NAMES, REGION, Till, make_till


@pytest.fixture(scope="session")
def aws() -> Iterator[ThreadedMotoServer]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "till")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "till")
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request, kept with each test
        server.start()
        try:
            _make_cloud(server)
            yield server
        finally:
            server.stop()


def _make_cloud(server: ThreadedMotoServer) -> None:
    host, port = server.get_host_and_port()
    session = boto3.Session(region_name=REGION)
    dynamodb = session.client("dynamodb", endpoint_url=f"http://{host}:{port}")
    if NAMES["sales_table"] in dynamodb.list_tables()["TableNames"]:
        return  # moto keeps one account for all servers of a process, and another folder's tests came first
    for table, names in ((NAMES["sales_table"], ("pk", "sk")), (NAMES["registry_table"], ("thing",))):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ],
        )
    session.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(
        Bucket=NAMES["sales_bucket"], CreateBucketConfiguration={"LocationConstraint": REGION}
    )


@pytest.fixture
def proxy(aws: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(aws.get_host_and_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    yield proxy
    proxy.close()


@pytest.fixture
def till(aws: ThreadedMotoServer, proxy: FaultyProxy, tmp_path: Path) -> Iterator[Till]:
    till = make_till(aws, tmp_path / "data")
    yield till
    till.stop()
    till.ledger.close()
