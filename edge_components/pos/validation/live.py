"""Rules that follow the configuration: the nucleus's events, or the file where there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_components.edgekit import config, money

from .. import barcodes
from ..assignment import Assignment
from ..clock import Clock
from ..settings import AT_START, Settings
from . import hours
from .circumstances import Circumstances, Item

_POLL_SECONDS = 1.0
_log = logging.getLogger("pos.rules")


class LiveRules:
    """The rules as they are now; replaced whole, so that a basket is held against one state of them."""

    def __init__(
        self, settings: Settings, changed: Callable[[Settings], None] = lambda _settings: None
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._said: set[str] = set()
        self._clock = Clock()
        self._tax_rates = self._usable(settings)

    @property
    def settings(self) -> Settings:
        """The configuration as it is now."""
        return self._settings

    def circumstances(
        self,
        assignment: Assignment,
        *,
        find: Callable[[str], Item | None] | None = None,
        paired: str | None = None,
    ) -> Circumstances:
        """What a basket is held against at this moment."""
        settings = self._settings
        now = datetime.now(UTC) if self._clock.synchronized() else None
        return Circumstances(assignment, self._tax_rates, settings.rules, find, now, paired)

    def take(self, found: Mapping[str, Any]) -> None:
        """Follow a configuration; what is wrong in it is said once, and its default holds."""
        loaded = config.build(Settings, found)
        self._tell(loaded.problems)
        before, self._settings = self._settings, loaded.settings
        changed = [field.name for field in fields(Settings) if _differs(before, loaded.settings, field.name)]
        if changed:
            _log.info("the configuration changed: %s", ", ".join(sorted(changed)))
        self._tax_rates = self._usable(loaded.settings)
        self._tell(f"{name} changes with the next start" for name in changed if name in AT_START)
        self._changed(loaded.settings)

    async def follow_file(self, environment: Mapping[str, str]) -> None:
        """Take the configuration file anew whenever it changes; runs until cancelled."""
        name = environment.get(config.FILE_VARIABLE)
        if not name:
            return
        path = Path(name)
        seen = _version(path)
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            version = _version(path)
            if version == seen:
                continue
            seen = version
            try:
                self.take(config.read(None, environment))
            except config.ConfigurationError as error:
                self._tell([f"{error}; the rules stay as they were"])

    def _usable(self, settings: Settings) -> Mapping[str, str]:
        """The tax rates that are numbers; whatever else is wrong is told."""
        self._tell(hours.problems(settings.rules.opening_hours))
        self._tell(hours.problems(settings.update_window, "update_window"))
        self._tell(barcodes.problems(settings.barcode_patterns))
        usable = {}
        for code, rate in settings.tax_rates.items():
            try:
                _check_rate(rate)
            except money.MoneyError as error:
                self._tell([f"the tax rate of {code} is left out: {error}"])
            else:
                usable[code] = rate
        return usable

    def _tell(self, problems: Iterable[str]) -> None:
        for problem in problems:
            if problem not in self._said:
                self._said.add(problem)
                _log.warning("configuration: %s", problem)


def _check_rate(rate: str) -> None:
    """Raises MoneyError for what no tax is; at -1 a price that includes it would have no base at all."""
    if money.decimal(rate) < 0:
        raise money.MoneyError(f"{rate!r} is negative")


def _differs(before: Settings, after: Settings, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
