"""A till in front of the cloud, driven step by step, and what the cloud has of it."""

from __future__ import annotations

import gzip
import json
import uuid
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from edge_components.edgekit.ledger import LedgerReader
from edge_components.sync.bucket import BucketSink
from edge_components.sync.cloud import Cloud
from edge_components.sync.heads import CloudHeads
from edge_components.sync.settings import Settings
from edge_components.sync.state import State
from edge_components.sync.table import TableSink
from tests.sync.till_ledger import TillLedger

REGION = "eu-west-1"
NAMES = {"sales_table": "t-sales", "sales_bucket": "t-sales-bucket", "registry_table": "t-registry"}
EPOCH = "00000000000000a1"
LATER_EPOCH = "00000000000000b2"


@dataclass
class Till:
    """A till in front of the cloud: its ledger, its sinks, and what the cloud has of it."""

    settings: Settings
    ledger: TillLedger
    aws: ThreadedMotoServer | None

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """As after a start of the process: everything from disk."""
        self.state = State(self.settings.database)
        self.cloud = Cloud(self.settings)
        reader = LedgerReader(self.settings.ledger)
        self.heads = CloudHeads(self.settings, self.cloud)
        self.table = TableSink(self.settings, reader, self.state, self.cloud, self.heads)
        self.bucket = BucketSink(self.settings, reader, self.state, self.cloud)

    def stop(self) -> None:
        self.table.close()
        self.state.close()

    def restart(self, *, losing_state: bool = False) -> None:
        self.stop()
        if losing_state:
            for suffix in ("", "-wal", "-shm"):
                self.settings.database.with_name(f"sync.db{suffix}").unlink(missing_ok=True)
        self.start()

    def drain(self, attempts: int = 200) -> list[Exception]:
        """Step both sinks until neither has more to do; returns what stood in the way meanwhile."""
        troubles: list[Exception] = []
        for _ in range(attempts):
            busy = False
            for sink in (self.table, self.bucket):
                try:
                    busy = sink.step() or busy
                except Exception as error:  # noqa: BLE001 - the worker's part: note it and try again
                    troubles.append(error)
                    busy = True
            if not busy:
                return troubles
        raise AssertionError(f"not delivered after {attempts} attempts: {troubles[-3:]}")

    def client(self, service: str) -> Any:
        assert self.aws is not None
        host, port = self.aws.get_host_and_port()
        return _client(service, f"http://{host}:{port}")

    def items(self) -> list[dict[str, Any]]:
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.settings.sales_table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": self.settings.thing}},
            )
        )
        return [item for page in pages for item in page["Items"]]

    def in_table(self) -> Counter[str]:
        """How often the table holds each record, by canonical JSON."""
        return Counter(item["record"]["S"] for item in self.items() if item["sk"]["S"] != "head")

    def head(self) -> dict[str, Any] | None:
        return next((item for item in self.items() if item["sk"]["S"] == "head"), None)

    def segments(self) -> dict[str, list[str]]:
        s3 = self.client("s3")
        found = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.sales_bucket):
            for entry in page.get("Contents", []):
                if f"/till={self.settings.thing}/" in entry["Key"]:
                    body = s3.get_object(Bucket=self.settings.sales_bucket, Key=entry["Key"])["Body"].read()
                    found[entry["Key"]] = gzip.decompress(body).decode().splitlines()
        return found

    def forget_segments(self) -> None:
        """Take its segments out of the bucket, which is listed whole."""
        for key in self.segments():
            self.client("s3").delete_object(Bucket=self.settings.sales_bucket, Key=key)

    def in_bucket(self) -> Counter[str]:
        return Counter(line for lines in self.segments().values() for line in lines)

    def rung_up(self) -> Counter[str]:
        return Counter(
            json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            for record in self.ledger.records
        )

    def everything_is_there_once(self) -> None:
        assert self.in_table() == self.rung_up()
        assert self.in_bucket() == self.rung_up()


@cache
def _client(service: str, endpoint: str) -> Any:
    """One for all: making a client takes longer than most of what is asked with it."""
    return boto3.client(service, region_name=REGION, endpoint_url=endpoint)


def make_till(aws: ThreadedMotoServer | None, folder: Path, **settings: Any) -> Till:
    thing = f"greentill-{uuid.uuid4().hex[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        **NAMES,
        "thing": thing,
        "region": REGION,
        "data_dir": folder,
        "segment_records": 10,
        "segment_seconds": 0.1,
        "connect_timeout_seconds": 30.0,
        "read_timeout_seconds": 60.0,
        "retry_base_seconds": 0.01,
        "retry_cap_seconds": 0.1,
        "poll_seconds": 0.05,
        "head_seconds": 0.0,
        **settings,
    }
    ledger = TillLedger(folder / "ledger.db", thing)
    ledger.open_epoch(EPOCH)
    return Till(Settings(**values), ledger, aws)
