"""The twin's cloud answers as sync expects of AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_components.sync.assignment import AssignmentFetcher
from tests.sync.test_sync_service import register
from tests.sync.till import REGION, Till, make_till


@pytest.fixture
def till_at_the_twin(cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    suffix = uuid.uuid4().hex[:8]
    for name, value in {**cloud.environment, **_temporary_credentials(cloud, f"sync-{suffix}")}.items():
        monkeypatch.setenv(name, value)
    names = {"sales_table": f"sync-sales-{suffix}", "registry_table": f"sync-registry-{suffix}"}
    bucket = f"sync-sales-{suffix}"
    dynamodb, s3 = cloud.client("dynamodb"), cloud.client("s3")
    for table, keys in ((names["sales_table"], ("pk", "sk")), (names["registry_table"], ("thing",))):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    till = make_till(None, tmp_path / "data", sales_bucket=bucket, **names)
    till.client = cloud.client  # type: ignore[method-assign]
    yield till
    till.stop()
    till.ledger.close()
    for table in names.values():
        dynamodb.delete_table(TableName=table)
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)


def _temporary_credentials(cloud: Any, role: str) -> dict[str, str]:
    """A session's, as tills have them: unlike the root's, each of its signatures is verified."""
    trusted = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": ["s3:*", "dynamodb:*"], "Resource": "*"}
    iam = cloud.client("iam")
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=_policy(trusted))
    iam.put_role_policy(RoleName=role, PolicyName="sync", PolicyDocument=_policy(allowed))
    assumed = cloud.client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="sync")
    credentials = assumed["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.twin
def test_records_arrive_once_at_the_twin_even_when_sync_forgets_that_it_sent_them(
    till_at_the_twin: Till,
) -> None:
    till = till_at_the_twin
    till.ledger.sell(60)
    assert till.drain() == []
    till.restart(losing_state=True)
    till.ledger.sell(7)
    assert till.drain() == []
    till.everything_is_there_once()
    head = till.head()
    assert head is not None
    assert head["seq"]["N"] == "68"


@pytest.mark.twin
def test_a_segment_that_was_put_already_is_recognized_at_the_twin(till_at_the_twin: Till) -> None:
    till = till_at_the_twin
    till.ledger.sell(4)
    till.bucket.step()
    fixed = till.state.fixed()
    assert fixed is not None
    till.client("s3").put_object(Bucket=till.settings.sales_bucket, Key=fixed.key, Body=fixed.body)
    assert till.drain() == []
    till.everything_is_there_once()
    assert not till.settings.refused.exists()


@pytest.mark.twin
def test_the_assignment_comes_from_the_twins_registry(till_at_the_twin: Till) -> None:
    register(till_at_the_twin)
    AssignmentFetcher(till_at_the_twin.settings, till_at_the_twin.cloud).step()
    assert till_at_the_twin.settings.assignment.exists()
