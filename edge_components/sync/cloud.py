"""The AWS clients of a till: its own retries, short time limits, credentials as the nucleus offers them."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

from edge_components.sync.settings import Settings


class Cloud:
    """Clients made at first use and kept; making one may fail while the nucleus has no credentials."""

    def __init__(self, settings: Settings) -> None:
        self._region = settings.region
        self._config = Config(
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.read_timeout_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},  # workers wait and try again themselves
            max_pool_connections=settings.most_writers + 2,
            tcp_keepalive=True,
        )
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def dynamodb(self) -> Any:
        return self._client("dynamodb")

    @property
    def s3(self) -> Any:
        return self._client("s3")

    def _client(self, service: str) -> Any:
        with self._lock:
            if self._session is None:
                self._session = boto3.Session(region_name=self._region)
            if service not in self._clients:
                self._clients[service] = self._session.client(service, config=self._config)
            return self._clients[service]
