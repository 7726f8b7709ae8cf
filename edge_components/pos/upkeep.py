"""What a till does beside selling: it follows the cloud's head and drops what is old."""

from __future__ import annotations

import asyncio
import logging
import time

from . import cloud_heads, retention
from .errors import NotSellingError
from .settings import Settings
from .till import Till

_PAUSE_SECONDS = 0.1  # between two chunks of old records, so that sales come between
_log = logging.getLogger("pos.upkeep")


class Upkeep:
    """Runs beside one till until it is cancelled."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._heads = cloud_heads.CloudHeadFile(till.settings.cloud_heads_path)
        self._looked = float("-inf")  # for old records, without finding more
        self._dropped = 0
        self._said = ""

    async def run(self) -> None:
        while True:
            wait = self._till.settings.assignment_poll_seconds
            try:
                self._till.ready()
                await self._follow_cloud()
                if await self._drop_some():
                    wait = _PAUSE_SECONDS
            except NotSellingError as error:
                _log.debug("upkeep waits: %s", error)
            except Exception as error:  # noqa: BLE001 - said and tried again: what ends here is done by nobody
                self._tell(repr(error))
            await asyncio.sleep(wait)

    def _tell(self, trouble: str) -> None:
        if trouble != self._said:
            _log.error("upkeep can't go on now, and tries again: %s", trouble)
            self._said = trouble

    async def _follow_cloud(self) -> None:
        head = self._heads.changed()
        if head is None:
            return
        try:
            opened = await self._till.write(lambda ledger: cloud_heads.follow(ledger, head))
        except NotSellingError:
            self._heads.again()
            raise
        if opened:
            self._till.note_epochs()

    async def _drop_some(self) -> int:
        """Drop a chunk of old records when it is time; returns how many."""
        settings = self._till.settings
        if time.monotonic() - self._looked < settings.retention_check_seconds:
            return 0
        count = await self._drop_chunk(settings)
        self._dropped += count
        if not count:
            self._looked = time.monotonic()
            if self._dropped:
                _log.info("dropped %d records older than %d days", self._dropped, settings.retention_days)
            self._dropped = 0
        return count

    async def _drop_chunk(self, settings: Settings) -> int:
        now = self._till.trusted_now()
        upto = retention.passed(settings.cursors_path, settings.retention_consumers)
        if not settings.retention_days or now is None or upto is None:
            return 0
        old = retention.before(now, settings.retention_days)
        dropped: int = await self._till.write(lambda ledger: retention.drop(ledger, upto, old))
        return dropped
