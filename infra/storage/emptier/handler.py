"""Empties the fleet's buckets, old versions and unfinished uploads too, when the Storage stack is deleted."""

from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.custom_resource import Event, answered


class NotEmptiedError(Exception):
    """Some objects of a bucket could not be deleted; names the first few."""


def handle(event: Event, _context: object) -> None:
    buckets: list[str] = event["ResourceProperties"]["Buckets"]

    def duty() -> None:
        if event["RequestType"] == "Delete":
            for bucket in buckets:
                empty(boto3.client("s3"), bucket)

    answered(event, "emptied-buckets", duty)


def empty(s3: Any, bucket: str) -> None:
    """Delete everything in `bucket`; a bucket that is already gone is empty."""
    try:
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in page.get("Uploads", []):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        while found := _first_page(s3, bucket):  # always from the start: what is deleted moves no marker
            _delete(s3, bucket, found)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def _first_page(s3: Any, bucket: str) -> list[dict[str, str]]:
    page = s3.list_object_versions(Bucket=bucket)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]


def _delete(s3: Any, bucket: str, objects: list[dict[str, str]]) -> None:
    """At most 1,000 objects: the limit of DeleteObjects and of one page of versions."""
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    if errors := answer.get("Errors", []):
        named = "; ".join(f"{one['Key']} ({one.get('Code')}: {one.get('Message')})" for one in errors[:3])
        raise NotEmptiedError(f"{len(errors)} objects of {bucket} could not be deleted: {named}")
