"""Credentials as the nucleus offers them, asked for now and then and when the service calls them expired.

botocore compares their expiry with the till's clock, which may be days off: then it would use them for days
too long, or refuse each one that it is given. So they age here by the monotonic clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials
from botocore.exceptions import CredentialRetrievalError, MetadataRetrievalError
from botocore.utils import ContainerMetadataFetcher

URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - the name of a variable
ASK_AGAIN = timedelta(minutes=5)  # the nucleus keeps them: asking costs a call on loopback
ADVISORY = timedelta(minutes=15)  # botocore asks again from here before the end, and goes on if it fails
FORGET = timedelta(days=1)


class NucleusCredentials(CredentialProvider):  # type: ignore[misc]  # botocore ships no types
    """A provider for a botocore session; `forget` makes the next request ask the nucleus again."""

    METHOD = CANONICAL_NAME = "greentill-nucleus"

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._uri = environment.get(URI)
        self._headers = {"Authorization": environment[TOKEN]} if TOKEN in environment else {}
        self._fetcher = ContainerMetadataFetcher()
        self._lock = threading.Lock()
        self._forgotten = timedelta(0)

    def load(self) -> Any:
        """None where no nucleus offers any: botocore then looks on, as on an engineer's machine."""
        if not self._uri:
            return None
        return DeferredRefreshableCredentials(self._fetch, self.METHOD, time_fetcher=self._now)

    def forget(self) -> None:
        """What is held was called expired: by the clock that it ages by, it is now."""
        with self._lock:
            self._forgotten += FORGET

    def _now(self) -> datetime:
        """A time line of their own: monotonic, and a day on for each time that they were forgotten."""
        return datetime.fromtimestamp(time.monotonic(), UTC) + self._forgotten

    def _fetch(self) -> dict[str, str]:
        try:
            answer = self._fetcher.retrieve_full_uri(self._uri, headers=self._headers)
            return {
                "access_key": answer["AccessKeyId"],
                "secret_key": answer["SecretAccessKey"],
                "token": answer["Token"],
                "expiry_time": (self._now() + ADVISORY + ASK_AGAIN).isoformat(),
            }
        except (MetadataRetrievalError, KeyError) as error:
            raise CredentialRetrievalError(provider=self.METHOD, error_msg=str(error)) from error
