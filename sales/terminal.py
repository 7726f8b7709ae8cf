"""A terminal: sells through a till's HTTP API and never gives up on an answer that was lost.

It asks the same till again with the same `sale_id`, which is what makes a repeat harmless: the till returns
the receipt that it wrote the first time.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import uuid_utils

from sales.baskets import Basket
from sales.journal import Entry

LONGEST_PAUSE = 1.0
FIRST_PAUSE = 0.05


class TillUnreachableError(Exception):
    """The till did not say who it is within the time allowed."""


@dataclass(frozen=True)
class Settings:
    """`answer_within` bounds one attempt, `give_up_after` a basket with all its attempts (seconds)."""

    url: str
    terminal: str = "T1"
    cashier: str = "C1"
    answer_within: float = 10.0
    give_up_after: float = 120.0


class Terminal:
    """Rings up baskets at one till, one after another. Use as an async context manager."""

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.settings = settings
        self.thing = ""
        self._client = httpx.AsyncClient(
            base_url=settings.url, timeout=settings.answer_within, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def health(self, within: float) -> dict[str, Any]:
        """The till's health once it answers. Raises TillUnreachableError after `within` seconds."""
        give_up = time.monotonic() + within
        for pause in _pauses():
            try:
                answer = await self._client.get("/v1/health")
                if answer.status_code == 200:
                    health: dict[str, Any] = answer.json()
                    self.thing = health["thing"]
                    return health
                seen = f"HTTP {answer.status_code}"
            except httpx.TransportError as error:
                seen = str(error) or type(error).__name__
            if time.monotonic() + pause > give_up:
                raise TillUnreachableError(
                    f"{self.settings.url} gave no health in {within:.0f} s ({seen}); is this till running?"
                )
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def ring_up(self, basket: Basket, *, online: bool, sale_id: str | None = None) -> Entry:
        """Sell one basket; returns what the till said in the end, also when it never answered."""
        sale = _Sale(basket, sale_id or str(uuid_utils.uuid7()), online, self.thing, self.settings.terminal)
        body = basket.payload(
            sale_id=sale.sale_id, terminal=self.settings.terminal, cashier=self.settings.cashier
        )
        reason = ""
        for pause in _pauses():
            sale.attempt()
            try:
                answer = await self._client.post("/v1/sales", json=body)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                sale.answered()
                if answer.status_code < 500:
                    return sale.entry(answer)
                reason, pause = _reason(answer), max(pause, _retry_after(answer))  # noqa: PLW2901 the till's own word on when to ask again
            if sale.waited + pause > self.settings.give_up_after:
                break
            await asyncio.sleep(pause)
        return Entry(**sale.about(), outcome="unanswered", reason=reason)


class _Sale:
    """One basket on its way: how often it was tried and how long that took."""

    def __init__(self, basket: Basket, sale_id: str, online: bool, thing: str, terminal: str) -> None:
        self.sale_id = sale_id
        self._known = {
            "basket_id": basket.basket_id,
            "store_id": basket.store_id,
            "total": basket.total,
            "sale_id": sale_id,
            "thing": thing,
            "terminal": terminal,
            "online": online,
        }
        self._first = self._started = time.monotonic()
        self._attempts = 0
        self._latency = 0.0

    @property
    def waited(self) -> float:
        return time.monotonic() - self._first

    def attempt(self) -> None:
        self._attempts += 1
        self._started = time.monotonic()

    def answered(self) -> None:
        self._latency = time.monotonic() - self._started

    def about(self) -> dict[str, Any]:
        times = {"latency": round(self._latency, 6), "waited": round(self.waited, 6)}
        return {**self._known, "attempts": self._attempts, "at": round(time.time(), 3), **times}

    def entry(self, answer: httpx.Response) -> Entry:
        """The entry for an answer that is final."""
        if answer.status_code not in {200, 201}:
            return Entry(**self.about(), outcome="refused", reason=_reason(answer))
        receipt = answer.json()
        return Entry(
            **self.about(),
            outcome="acknowledged",
            epoch=receipt["epoch"],
            seq=receipt["seq"],
            hash=receipt["hash"],
            receipt_no=receipt["receipt_no"],
            exceptions=tuple(item["code"] for item in receipt.get("exceptions") or ()),
        )


def _pauses() -> Iterator[float]:
    """Exponential, with full jitter, without end."""
    ceiling = FIRST_PAUSE
    while True:
        yield random.uniform(0, ceiling)  # noqa: S311 spreads retries, guards nothing
        ceiling = min(LONGEST_PAUSE, ceiling * 2)


def _retry_after(answer: httpx.Response) -> float:
    try:
        return min(LONGEST_PAUSE, float(answer.headers.get("Retry-After", 0)))
    except ValueError:
        return LONGEST_PAUSE


def _reason(answer: httpx.Response) -> str:
    return f"HTTP {answer.status_code}: {answer.text[:500]}"
