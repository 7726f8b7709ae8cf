"""What a till does beside selling: it follows the cloud's head and drops what is old."""

from __future__ import annotations

import asyncio
import logging
import time

from . import cloud_heads, retention
from .errors import NotSellingError
from .till import Till

_PAUSE_SECONDS = 0.1  # between two chunks of old records, so that sales come between
_log = logging.getLogger("pos.upkeep")


class Upkeep:
    """Runs beside one till until it is cancelled."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._heads = cloud_heads.CloudHeadFile(till.settings.cloud_heads_path)
        self._due = time.monotonic()

    async def run(self) -> None:
        settings = self._till.settings
        while True:
            try:
                self._till.ready()
                await self._follow_cloud()
                if time.monotonic() >= self._due:
                    self._due = time.monotonic() + settings.retention_check_seconds
                    await self._drop_old()
            except NotSellingError as error:
                _log.debug("upkeep waits: %s", error)
            await asyncio.sleep(settings.assignment_poll_seconds)

    async def _follow_cloud(self) -> None:
        head = self._heads.changed()
        if head is not None and await self._till.write(lambda ledger: cloud_heads.follow(ledger, head)):
            self._till.note_epochs()

    async def _drop_old(self) -> None:
        settings = self._till.settings
        now = self._till.trusted_now()
        if not settings.retention_days or now is None:
            return
        old = retention.before(now, settings.retention_days)
        upto = retention.passed(settings.cursors_path, settings.retention_consumers)
        if upto is not None and (dropped := await self._drop(upto, old)):
            _log.info("dropped %d records older than %d days", dropped, settings.retention_days)

    async def _drop(self, upto: retention.Place, old: str) -> int:
        dropped = 0
        while count := await self._till.write(lambda ledger: retention.drop(ledger, upto, old)):
            dropped += count
            await asyncio.sleep(_PAUSE_SECONDS)
        return dropped
