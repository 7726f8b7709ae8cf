"""Real baskets through a till, bounded in time, each with its outcome in a journal."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sales.baskets import Basket
from sales.journal import Entry, Journal
from sales.terminal import Settings, Terminal

Online = Callable[[], bool]


def always_online() -> bool:
    return True


def silently(_: Entry) -> None:
    return None


@dataclass
class Summary:
    """Counts by outcome; money in cents; the slowest answers in seconds."""

    outcomes: Counter[str] = field(default_factory=Counter)
    money: int = 0
    asked_again: int = 0
    slowest_online: float = 0.0
    slowest_offline: float = 0.0
    left: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.outcomes[entry.outcome] += 1
        self.asked_again += entry.attempts > 1
        if entry.outcome != "acknowledged":
            self.problems.append(f"basket {entry.basket_id}: {entry.outcome}, {entry.reason}")
            return
        self.money += entry.total
        if entry.online:
            self.slowest_online = max(self.slowest_online, entry.latency)
        else:
            self.slowest_offline = max(self.slowest_offline, entry.latency)

    @property
    def acknowledged(self) -> int:
        return self.outcomes["acknowledged"]

    @property
    def complete(self) -> bool:
        """Every basket got its receipt."""
        return not self.problems and not self.left

    def document(self) -> dict[str, Any]:
        return {
            "acknowledged": self.acknowledged,
            "refused": self.outcomes["refused"],
            "unanswered": self.outcomes["unanswered"],
            "not_tried": self.left,
            "money_cents": self.money,
            "asked_again": self.asked_again,
            "slowest_online_seconds": self.slowest_online,
            "slowest_offline_seconds": self.slowest_offline,
            "problems": self.problems,
        }


async def replay(
    baskets: Iterable[Basket],
    settings: Settings,
    journal: Journal,
    *,
    online: Online = always_online,
    within: float = 600.0,
    progress: Callable[[Entry], None] = silently,
) -> Summary:
    """Ring up `baskets` at one terminal, at most `within` seconds of them (the rest counts as `left`).

    A basket that the journal has as acknowledged is not sold again. One that it has as unanswered is asked
    for with the sale_id of that time, at the same till only: another would sell it again. Raises
    TillUnreachableError when the till doesn't say who it is.
    """
    known = journal.latest()
    summary = Summary()
    give_up = time.monotonic() + within
    async with Terminal(settings) as terminal:
        await terminal.health(within=min(within, settings.give_up_after))
        for basket in baskets:
            if time.monotonic() > give_up:
                summary.left += 1
                continue
            entry = known.get(basket.basket_id)
            if entry is not None and entry.outcome == "unanswered" and entry.thing != terminal.thing:
                entry = _elsewhere(entry, terminal.thing)
            elif entry is None or entry.outcome != "acknowledged":
                entry = await terminal.ring_up(basket, online=online(), sale_id=_asked_before(known, basket))
                journal.append(entry)
            summary.add(entry)
            progress(entry)
            await asyncio.sleep(0)
    return summary


def _elsewhere(entry: Entry, here: str) -> Entry:
    text = f"{entry.thing} may have sold it, so {here} is not asked: ask {entry.thing}, or recover its card"
    return replace(entry, reason=text)


def _asked_before(known: Mapping[int, Entry], basket: Basket) -> str | None:
    entry = known.get(basket.basket_id)
    return entry.sale_id if entry is not None and entry.outcome == "unanswered" else None
