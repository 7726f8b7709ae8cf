"""Selling through a link that flaps while processes die; in the end everything must be there once."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sales.baskets import Basket
from sales.journal import Entry
from sales.reconcile import Verdict, reconcile
from sales.terminal import Settings, Terminal
from tests.soak.relay import Relay
from tests.soak.tills import Account, Till

LONGEST_STATE = 2.0  # seconds that the link stays up or down, at most
DRAIN_SECONDS = 900.0
GIVE_UP_SECONDS = 600.0  # a till whose processes die may take minutes on a machine that is busy


@dataclass(frozen=True)
class Plan:
    """Times in seconds. `kill_every` is how often some process of a till dies.

    The run goes on beyond `seconds` until so many `baskets` were rung up.
    """

    seconds: float
    baskets: int = 0
    tills: int = 2
    terminals: int = 2
    pause: float = 0.05
    kill_every: float = 20.0
    seed: int = 0


@dataclass
class Outcome:
    """What happened, and what the cloud says of it in the end."""

    verdict: Verdict
    acknowledged: int
    unanswered: int
    refused: int
    cuts: int
    kills: int
    entries: list[Entry] = field(default_factory=list, repr=False)

    @property
    def good(self) -> bool:
        return self.verdict.clean and not self.unanswered and not self.refused


class _Weather:
    """Cuts and restores lines, kills processes and starts them again, until it is told to stop."""

    def __init__(self, plan: Plan, tills: Sequence[Till], lines: Sequence[Relay]) -> None:
        self._plan, self._tills, self._lines = plan, tills, lines
        self._chance = random.Random(plan.seed)  # noqa: S311 - when and what
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weather")
        self.cuts = self.kills = 0

    def start(self) -> None:
        self._thread.start()

    def clear_up(self) -> None:
        """Everything works again."""
        self._stopping.set()
        self._thread.join()
        for line in self._lines:
            line.restore()

    def _run(self) -> None:
        due = time.monotonic() + self._plan.kill_every
        while not self._stopping.wait(self._chance.uniform(0.1, LONGEST_STATE)):
            line = self._chance.choice(self._lines)
            if self._chance.random() < 0.5:
                line.cut()
                self.cuts += 1
            else:
                line.restore()
            if time.monotonic() >= due:
                due = time.monotonic() + self._plan.kill_every
                self._kill(self._chance.choice(self._tills))
            for till in self._tills:
                till.revive()

    def _kill(self, till: Till) -> None:
        """Kill some process of it, but for a till that has not come back from the kill before."""
        if not till.is_selling():
            return
        name = self._chance.choice(sorted(till.running))
        till.end(name)
        till.start(name)
        self.kills += 1


def soak(
    plan: Plan, found: Account, folder: Path, chosen: Sequence[Basket], say: Callable[[str], None]
) -> Outcome:
    """Run the plan. Raises TimeoutError when a till does not deliver once everything works again."""
    with ExitStack() as stack:
        lines = [Relay(found.endpoint) for _ in range(plan.tills)]
        tills = [
            Till(f"SOAK{number}", folder / f"till-{number}", found, line.port)
            for number, line in enumerate(lines)
        ]
        for line, till in zip(lines, tills, strict=True):
            stack.callback(line.close)
            stack.callback(till.stop)
            _register(found, till)
            till.start()
        for till in tills:
            till.until_selling()
        weather = _Weather(plan, tills, lines)
        weather.start()
        try:
            entries = asyncio.run(_sell(plan, tills, chosen, say))
        finally:
            weather.clear_up()
        say(
            f"{len(entries)} baskets rung up, {weather.cuts} cuts, {weather.kills} kills; delivering the rest"
        )
        for till in tills:
            till.revive()
            till.until_delivered(DRAIN_SECONDS)
        verdict = reconcile(found.cloud(), journal=entries)
    outcomes = [entry.outcome for entry in entries]
    counts = (outcomes.count("acknowledged"), outcomes.count("unanswered"), outcomes.count("refused"))
    return Outcome(verdict, *counts, weather.cuts, weather.kills, entries)


def _register(found: Account, till: Till) -> None:
    row = {"thing": {"S": till.thing}, "state": {"S": "provisioned"}}
    found.client("dynamodb").put_item(TableName=found.names.registry_table, Item=row)


async def _sell(
    plan: Plan, tills: Sequence[Till], chosen: Sequence[Basket], say: Callable[[str], None]
) -> list[Entry]:
    entries: list[Entry] = []
    endless = itertools.cycle(chosen)
    end = time.monotonic() + plan.seconds

    def over() -> bool:
        return time.monotonic() >= end and len(entries) >= plan.baskets

    async def ring_up(till: Till, terminal_name: str) -> None:
        settings = Settings(till.url, terminal=terminal_name, give_up_after=GIVE_UP_SECONDS)
        async with Terminal(settings) as terminal:
            await terminal.health(within=180)
            while not over():
                entries.append(await terminal.ring_up(next(endless), online=True))
                await asyncio.sleep(plan.pause)

    async def tell() -> None:
        while not over():
            await asyncio.sleep(min(30.0, plan.seconds))
            say(f"{len(entries)} baskets, {max(0.0, end - time.monotonic()):.0f} s to go")

    names = [f"T{number}" for number in range(1, plan.terminals + 1)]
    await asyncio.gather(tell(), *(ring_up(till, name) for till in tills for name in names))
    return entries
