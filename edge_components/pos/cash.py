"""The cash drawer and the end of the day: movements, drawer openings without a sale, day closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from . import figures
from .assignment import Assignment
from .entries import EntryRefusedError, Scene, Settled
from .model import Reason
from .requests import CashMovementRequest, DayCloseRequest
from .rules import Masker, bounded, checked_id

_NO_SALE = "no_sale"
_TOO_LARGE = {
    "code": "figures_too_large",
    "message": "the day came to more than a record can say: its figures are cut",
    "path": "",
}


@dataclass(frozen=True, slots=True)
class CashMovement:
    """Cash in, out or as the day's float; or the drawer only opened."""

    kind: str  # cash_movement or no_sale
    sale_id: str
    terminal: str
    cashier: str
    body: Mapping[str, Any]
    exceptions: tuple[Mapping[str, str], ...]

    def matches(self, found: Mapping[str, Any]) -> bool:
        said = (found["kind"], found["terminal"], found["cashier"], found["body"])
        return said == (self.kind, self.terminal, self.cashier, self.body)

    def settle(self, _scene: Scene) -> Settled:
        return Settled(self.body, self.exceptions)


def prepare_movement(request: CashMovementRequest, assignment: Assignment) -> CashMovement:
    """The movement as it will be recorded."""
    reasons = _place_rules(request.terminal, assignment)
    if request.currency != assignment.currency:
        text = f"the store's currency is {assignment.currency}, not {request.currency}"
        reasons.append(Reason(code="currency_differs", message=text, path="/currency"))
    if request.kind == _NO_SALE and request.amount:
        text = "opening the drawer moves no money"
        reasons.append(Reason(code="no_sale_amount", message=text, path="/amount"))
    masked = Masker(reasons)
    body = {
        "kind": request.kind,
        "currency": request.currency,
        "amount": request.amount,
        "reason": masked(request.reason, "/reason"),
    }
    kind = _NO_SALE if request.kind == _NO_SALE else "cash_movement"
    movement_id = checked_id(request.movement_id, "movement_id", reasons)
    cashier = masked(request.cashier, "/cashier")
    return CashMovement(kind, movement_id, request.terminal, cashier, body, bounded(reasons))


@dataclass(frozen=True, slots=True)
class DayClose:
    """The end of a trading day: its body is the Z report of all that was not closed before it."""

    kind: ClassVar[str] = "day_close"
    sale_id: str
    terminal: str
    cashier: str
    counted: int | None
    exceptions: tuple[Mapping[str, str], ...]

    def matches(self, found: Mapping[str, Any]) -> bool:
        if found["kind"] != self.kind:
            return False
        said = (found["terminal"], found["cashier"], found["body"]["cash"]["counted"])
        return said == (self.terminal, self.cashier, self.counted)

    def settle(self, scene: Scene) -> Settled:
        rows = figures.read(scene.connection)
        date = max((row.business_date for row in rows), default=scene.business_date)
        if date > scene.local_date and scene.clock_synchronized:
            text = f"the trading day {date} has not begun: close it when it is over"
            raise EntryRefusedError(409, "day_not_begun", text)
        currency = scene.assignment.currency
        body = figures.report(rows, business_date=date, currency=currency, counted=self.counted)
        held = figures.held(body)
        return Settled(held, self.exceptions if held == body else (*self.exceptions, _TOO_LARGE))


def prepare_close(request: DayCloseRequest, assignment: Assignment) -> DayClose:
    """The day close as the ledger will meet it."""
    reasons = _place_rules(request.terminal, assignment)
    close_id = checked_id(request.close_id, "close_id", reasons)
    cashier = Masker(reasons)(request.cashier, "/cashier")
    return DayClose(close_id, request.terminal, cashier, request.counted, bounded(reasons))


def _place_rules(terminal: str, assignment: Assignment) -> list[Reason]:
    if terminal in assignment.terminals:
        return []
    text = f"{terminal} is not a terminal of this till"
    return [Reason(code="terminal_unknown", message=text, path="/terminal")]
