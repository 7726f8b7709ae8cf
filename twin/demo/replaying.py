"""Step 5: real baskets through three tills, while cables are pulled and one till loses power."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sales.baskets import Basket
from sales.journal import Entry, Journal
from sales.terminal import Settings as TerminalSettings
from sales.terminal import Terminal
from twin.demo.processes import DemoError
from twin.demo.settings import TERMINALS, DemoTill

ONLINE_SHARE = 0.25  # of a till's baskets before its cable is pulled, and again after it is back
ANSWER_WITHIN = 3.0  # seconds: a till without power says nothing, so its terminals ask again soon
ON_THE_WIRE = 0.002  # seconds in which a request reaches a till
DARK_AFTER = 0.4  # of the offline baskets sold when the power goes


class Wires(Protocol):
    """What can be done to a till from outside."""

    def cut(self, serial: str) -> None: ...
    def restore(self, serial: str) -> None: ...
    def power_cut(self, serial: str) -> None: ...
    def boot(self, serial: str) -> None: ...


@dataclass
class Selling:
    """What happened at one till. Times in seconds."""

    till: DemoTill
    url: str
    entries: list[Entry] = field(default_factory=list)
    in_flight_at_power_cut: int = 0
    sold_after_offline_boot: int = 0
    dark_seconds: float = 0.0
    backlog: int | None = None
    events: list[tuple[str, float]] = field(default_factory=list)

    def happened(self, what: str) -> None:
        """Note an event with the time (seconds since 1970)."""
        self.events.append((what, time.time()))


def on_the_way(sales: int) -> str:
    return "1 sale on its way" if sales == 1 else f"{sales} sales on their way"


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once; the first error ends the others and is raised as it is."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class _Counter:
    """Requests on their way to a till at this moment."""

    now: int = 0


async def sell(
    selling: Selling,
    chosen: Sequence[Basket],
    journal: Journal,
    wires: Wires,
    say: Callable[[str], None],
    *,
    pace: float = 0.0,
) -> None:
    """All of one till's acts: online, cable pulled (and for one till the power cut), cable back.

    `pace` is what a cashier takes between two baskets, in seconds.
    """
    till = selling.till
    edge = max(1, int(len(chosen) * ONLINE_SHARE))
    before, offline, after = chosen[:edge], chosen[edge:-edge], chosen[-edge:]
    terminals = [
        Terminal(TerminalSettings(selling.url, terminal=name, answer_within=ANSWER_WITHIN))
        for name in TERMINALS
    ]
    try:
        for terminal in terminals:
            await terminal.health(within=60)
        run = _Run(selling, terminals, journal, pace)
        await run.ring_up(before, online=True)
        await asyncio.to_thread(wires.cut, till.serial)
        selling.happened("cut")
        say(f"{till.serial}: cable pulled after {len(before)} baskets")
        if till.loses_power:
            edge = int(len(offline) * DARK_AFTER)
            await run.ring_up(offline[:edge], online=False)
            await _through_a_power_cut(run, offline[edge:], wires, say)
        else:
            await run.ring_up(offline, online=False)
        selling.backlog = (await terminals[0].health(within=60)).get("backlog")
        await asyncio.to_thread(wires.restore, till.serial)
        selling.happened("restored")
        say(f"{till.serial}: cable back after {len(offline)} baskets sold without it")
        await run.ring_up(after, online=True)
    finally:
        for terminal in terminals:
            await terminal.__aexit__(None, None, None)


class _Run:
    """Two terminals of one till that take baskets from one queue."""

    def __init__(
        self, selling: Selling, terminals: Sequence[Terminal], journal: Journal, pace: float
    ) -> None:
        self.selling = selling
        self.in_flight = _Counter()
        self._terminals = terminals
        self._journal = journal
        self._pace = pace

    async def ring_up(self, chosen: Iterable[Basket], *, online: bool) -> None:
        waiting = deque(chosen)
        await together(self._one_terminal(terminal, waiting, online) for terminal in self._terminals)

    async def _one_terminal(self, terminal: Terminal, waiting: deque[Basket], online: bool) -> None:
        while waiting:
            basket = waiting.popleft()
            self.in_flight.now += 1
            try:
                entry = await terminal.ring_up(basket, online=online)
            finally:
                self.in_flight.now -= 1
            self._journal.append(entry)
            self.selling.entries.append(entry)
            await asyncio.sleep(self._pace)


async def _through_a_power_cut(
    run: _Run, chosen: Sequence[Basket], wires: Wires, say: Callable[[str], None]
) -> None:
    """Pull the plug while a sale is on its way, and switch on again, still without the network."""
    selling, serial = run.selling, run.selling.till.serial
    work = asyncio.create_task(run.ring_up(chosen, online=False))
    try:
        await _until_on_its_way(run, work)
        selling.in_flight_at_power_cut = run.in_flight.now
        if not run.in_flight.now:
            raise DemoError(f"no sale was on its way when {serial} was to lose power: use more baskets")
        dark = time.time()
        wires.power_cut(serial)  # here, in this thread: nothing may be answered in between
        selling.events.append(("dark", dark))
        say(f"{serial}: power cut with {on_the_way(selling.in_flight_at_power_cut)}")
        await asyncio.to_thread(wires.boot, serial)
        await work
    finally:
        work.cancel()
    after = [entry for entry in selling.entries if entry.at - entry.latency > dark]
    selling.sold_after_offline_boot = len(after)
    if after:
        again = min(entry.at for entry in after)
        selling.dark_seconds = round(again - dark, 2)
        selling.events.append(("selling again", again))
    say(f"{serial}: booted without the network, {len(after)} more baskets sold")


async def _until_on_its_way(run: _Run, work: asyncio.Task[None]) -> None:
    """Until a request has had the time to leave its terminal and is still not answered."""
    sold = len(run.selling.entries)
    while not work.done():
        await asyncio.sleep(0)
        if len(run.selling.entries) > sold and run.in_flight.now:
            await asyncio.sleep(ON_THE_WIRE)
            if run.in_flight.now:
                return
