"""A bucket goes only when it is empty: old versions, markers and unfinished uploads count too."""

from typing import Any

import boto3
import pytest

from infra.storage.emptier.handler import NotEmptiedError, empty

BUCKET = "greentill-sales-123456789012-eu-west-1"


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


def test_a_versioned_bucket_can_be_deleted_afterwards(s3: Any) -> None:
    for _ in range(2):
        s3.put_object(Bucket=BUCKET, Key="sales/date=2026-11-21/till=a/1", Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="sales/date=2026-11-21/till=a/1")
    s3.create_multipart_upload(Bucket=BUCKET, Key="unfinished")
    empty(s3, BUCKET)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    s3.delete_bucket(Bucket=BUCKET)


def test_more_than_one_page_is_emptied(s3: Any) -> None:
    for number in range(1_050):
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"")
    empty(s3, BUCKET)
    assert "Versions" not in s3.list_object_versions(Bucket=BUCKET)


def test_a_bucket_that_is_gone_is_empty(s3: Any) -> None:
    empty(s3, "greentill-never-made")


def test_an_object_that_stays_is_named(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket=BUCKET, Key="locked", Body=b"x")
    refusal = {"Errors": [{"Key": "locked", "Code": "AccessDenied", "Message": "object lock"}]}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: refusal)
    with pytest.raises(NotEmptiedError, match="locked"):
        empty(s3, BUCKET)
