"""All rules together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..model import Basket, Reason, SaleRequest
from ..requests import RefundRequest
from . import arithmetic, goods, hours, limits
from .circumstances import Circumstances
from .words import amount, reason


def broken(basket: Basket, at: Circumstances) -> list[Reason]:
    """Every rule that a basket, a sale or a refund breaks, not only the first."""
    return [*_place(basket, at), *_lines(basket, at), *_whole(basket, at), *_time(basket, at)]


def _place(basket: Basket, at: Circumstances) -> Iterator[Reason]:
    if basket.terminal not in at.assignment.terminals:
        text = f"{basket.terminal} is not a terminal of this till"
        yield reason("terminal_unknown", text, "/terminal")
    if at.paired is not None and basket.terminal != at.paired:
        text = f"this terminal is paired as {at.paired}, not as {basket.terminal}"
        yield reason("terminal_differs", text, "/terminal")
    if basket.currency != at.assignment.currency:
        text = f"the store's currency is {at.assignment.currency}, not {basket.currency}"
        yield reason("currency_differs", text, "/currency")


def _lines(basket: Basket, at: Circumstances) -> Iterator[Reason]:
    if not basket.lines:
        yield reason("no_lines", "there is nothing in the basket", "/lines")
    current = not isinstance(basket, RefundRequest)
    for index, line in enumerate(basket.lines):
        path = f"/lines/{index}"
        yield from goods.tax(line, path, at)
        yield from goods.known(line, path, at, current=current)
        yield from limits.line_limits(line, path, at.rules, at.assignment)


def _whole(basket: Basket, at: Circumstances) -> Iterator[Reason]:
    assignment = at.assignment
    yield from arithmetic.lines(basket, assignment)
    yield from arithmetic.sums(basket, assignment, paid_for=isinstance(basket, SaleRequest | RefundRequest))
    yield from limits.basket_limits(basket, at.rules, assignment)
    if basket.totals.total < 0 and not isinstance(basket, RefundRequest):
        text = f"a sale cannot give back {amount(-basket.totals.total, assignment)}: make it a refund"
        yield reason("total_negative", text, "/totals/total")


def _time(basket: Basket, at: Circumstances) -> Iterator[Reason]:
    if at.now is None:
        return
    local = at.now.astimezone(at.assignment.time_zone)
    if isinstance(basket, SaleRequest) and basket.sold_at is not None:
        local = _as_told(datetime.fromisoformat(basket.sold_at), at) or local
    if not hours.is_open(at.rules.opening_hours, local):
        yield reason("outside_opening_hours", f"the store is closed at {local:%H:%M on %A}", "")


def _as_told(said: datetime, at: Circumstances) -> datetime | None:
    """A terminal's time as the store has it; None without a zone, and at the ends of the calendar."""
    if said.tzinfo is None:
        return None
    try:
        return said.astimezone(at.assignment.time_zone)
    except OverflowError:
        return None
