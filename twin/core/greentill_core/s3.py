"""Artifacts from S3, with the till's own temporary credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from .credentials import Credentials
from .errors import DeploymentError, NotReachableError

_LASTING = ("403", "404", "AccessDenied", "NoSuchKey", "NoSuchBucket")


class S3:
    """`refresh` on the event loop, then `get` from any thread. AWS_ENDPOINT_URL is honoured by boto3."""

    def __init__(self, region: str, credentials: Credentials) -> None:
        self._region = region
        self._credentials = credentials
        self._current: Mapping[str, str] = {}

    async def refresh(self) -> None:
        """Have credentials that will last; raises NotReachableError or DeploymentError."""
        self._current = await self._credentials.get()

    def get(self, uri: str) -> bytes:
        """An object's content, from `s3://bucket/key`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            return bytes(self._client().get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            kind = DeploymentError if code in _LASTING else NotReachableError
            raise kind(f"{uri}: {error}") from error
        except NoCredentialsError as error:
            raise DeploymentError(f"{uri}: {error}") from error
        except (BotoCoreError, OSError) as error:
            raise NotReachableError(f"{uri}: {error}") from error

    def _client(self) -> Any:
        current = self._current
        return boto3.client(
            "s3",
            region_name=self._region,
            aws_access_key_id=current.get("accessKeyId"),
            aws_secret_access_key=current.get("secretAccessKey"),
            aws_session_token=current.get("sessionToken"),
            config=Config(connect_timeout=10, read_timeout=30, retries={"max_attempts": 1}),
        )
