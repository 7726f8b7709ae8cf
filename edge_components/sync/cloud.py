"""The AWS clients of a till: short time limits, the service's time, the nucleus's credentials, a pace.

Workers wait and try again themselves, so the SDK does not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.session import Session

from edge_components.sync import sdk_data
from edge_components.sync.clock import ServiceClock
from edge_components.sync.credentials import NucleusCredentials
from edge_components.sync.errors import EXPIRED, NotAwsError
from edge_components.sync.pace import Pace
from edge_components.sync.settings import Settings


class Cloud:
    """Clients made at first use and kept; making one may fail while the nucleus has no credentials."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str] = os.environ,
        clock: ServiceClock | None = None,
    ) -> None:
        self._region = settings.region
        self._config = Config(
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.read_timeout_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=settings.most_writers + 2,
            tcp_keepalive=True,
            request_checksum_calculation="when_required",  # a segment brings its own: no chunks, no trailer
            parameter_validation=False,  # 40% of the CPU of a batch, and the service validates as well
        )
        self._clock = clock or ServiceClock()
        self._credentials = NucleusCredentials(environment)
        self._pace = Pace(settings.bandwidth_kilobits * 125.0 or None)
        self._lock = threading.Lock()
        self._session: Session | None = None
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
                self._session = self._new_session()
            if service not in self._clients:
                client = self._session.create_client(service, region_name=self._region, config=self._config)
                self._clock.sign(client)
                self._pace.send(client)
                client.meta.events.register("after-call", self._heard)
                self._clients[service] = client
            return self._clients[service]

    def _new_session(self) -> Session:
        session = Session()
        session.register_component("data_loader", sdk_data.loader())
        session.get_component("credential_provider").insert_before("env", self._credentials)
        return session

    def _heard(self, parsed: Mapping[str, Any], **_: Any) -> None:
        """Learn from an answer before anyone uses it. Raises NotAwsError for one that AWS didn't give."""
        about = parsed.get("ResponseMetadata", {})
        headers = about.get("HTTPHeaders", {})
        status = about.get("HTTPStatusCode", 0)
        if not about.get("RequestId"):
            kind = headers.get("content-type", "no type")
            if status < 400 or "html" in kind:
                raise NotAwsError(
                    f"HTTP {status} with {kind} and no request id: a captive portal, or a proxy's page"
                )
            return
        self._clock.hear(headers.get("date"), at_once=status >= 400)
        if parsed.get("Error", {}).get("Code") in EXPIRED:
            self._credentials.forget()
