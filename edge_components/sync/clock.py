"""The service's time, by which requests are signed: a Pi has no clock chip and may be days off.

Learned from the Date header of AWS's own answers and carried on by the monotonic clock, so that a step of the
till's clock changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.auth
from botocore.auth import S3SigV4Auth, SigV4Auth

log = logging.getLogger("sync")

SAID_FROM = timedelta(seconds=60)  # AWS refuses from 5 minutes (DynamoDB) or 15 (S3)
LISTEN_SECONDS = 30.0  # how often a good answer's date is looked at
SIGNED_AT = "%Y%m%dT%H%M%SZ"


class ServiceClock:
    """`now` is the service's time as far as it is known, else the till's. Used from several threads."""

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._heard: tuple[float, datetime] | None = None
        self._said_off = False

    def now(self) -> datetime:
        heard = self._heard
        if heard is None:
            return datetime.fromtimestamp(self._wall(), UTC)
        return heard[1] + timedelta(seconds=self._monotonic() - heard[0])

    def hear(self, date: str | None, *, at_once: bool = False) -> None:
        """Take the Date header of an answer; good answers are looked at now and then, a refusal `at_once`."""
        at = self._monotonic()
        if date is None or (not at_once and self._heard and at - self._heard[0] < LISTEN_SECONDS):
            return
        try:
            told = parsedate_to_datetime(date).astimezone(UTC)
        except (ValueError, TypeError):
            return  # no date: whatever sent this, it has nothing to say about time
        with self._lock:
            self._heard = (at, told)
            self._say(told - datetime.fromtimestamp(self._wall(), UTC))

    def _say(self, off: timedelta) -> None:
        is_off = abs(off) > SAID_FROM
        if is_off and not self._said_off:
            side = "behind" if off > timedelta(0) else "ahead of"
            span = timedelta(seconds=round(abs(off).total_seconds()))
            log.warning(
                "clock skew: this till is %s %s the service, whose time now signs requests", span, side
            )
        elif self._said_off and not is_off:
            log.info("this till's clock agrees with the service's again")
        self._said_off = is_off

    def sign(self, client: Any) -> None:
        """Make a client sign by this clock."""
        # S3's endpoint rules name its signature v4 as well, but S3 encodes a key once where others do twice.
        is_s3 = client.meta.service_model.service_name == "s3"
        plain = S3SigV4Auth if is_s3 else SigV4Auth
        names = {name: _signer(self, base) for name, base in (("v4", plain), ("s3v4", S3SigV4Auth))}

        def choose(signature_version: Any, **_: Any) -> Any:
            return names.get(signature_version)

        client.meta.events.register_first("choose-signer", choose)


def _signer(clock: ServiceClock, base: type[Any]) -> str:
    """The name under which botocore finds `base` signing by `clock`."""

    class ByServiceTime(base):  # type: ignore[misc]  # botocore ships no types
        def _modify_request_before_signing(self, request: Any) -> None:
            request.context["timestamp"] = clock.now().strftime(SIGNED_AT)
            super()._modify_request_before_signing(request)

    name = f"{base.__name__}-{id(clock)}"
    botocore.auth.AUTH_TYPE_MAPS[name] = ByServiceTime
    return name
