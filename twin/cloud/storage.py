"""S3 details that only show once bucket encryption is applied as the template says."""

from __future__ import annotations

from typing import Any

from ministack.services import s3

from twin.cloud.settings import Settings

ALGORITHM = "x-amz-server-side-encryption"
KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"


def install(settings: Settings) -> None:
    """A write with aws:kms and no key id takes the account's aws/s3 key, as on AWS."""
    resolve = s3._resolve_sse_write_headers
    managed_key = f"arn:aws:kms:{settings.region}:{settings.account}:alias/aws/s3"

    def resolve_with_managed_key(headers: dict[str, str], bucket: str) -> Any:
        if headers.get(ALGORITHM) == "aws:kms" and not headers.get(KEY_ID):
            headers = {**headers, KEY_ID: managed_key}
        return resolve(headers, bucket)

    s3._resolve_sse_write_headers = resolve_with_managed_key
