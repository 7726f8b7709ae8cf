"""From what a terminal sent to what the record says: totals, and an exception for each rule that was broken.

A sale has happened when it arrives here, so a broken rule is written down and never refuses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edge_components.edgekit import money

from .assignment import Assignment
from .entries import Scene, Settled
from .masking import mask
from .model import Basket, Reason, SaleRequest
from .validation import Circumstances, broken

_MOST_EXCEPTIONS = 50  # a record must stay below 400 KB
_UUID_VERSION = 14  # index of the version digit in a UUID's text


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale ready to be recorded: what varies between records is added by the ledger."""

    kind: ClassVar[str] = "sale"
    sale_id: str
    terminal: str
    cashier: str
    body: Mapping[str, Any]
    exceptions: tuple[Mapping[str, str], ...]

    def matches(self, found: Mapping[str, Any]) -> bool:
        if found["kind"] != self.kind:
            return False
        return content(found["terminal"], found["cashier"], found["body"]) == self.content()

    def settle(self, _scene: Scene) -> Settled:
        return Settled(self.body, self.exceptions)

    def content(self) -> tuple[Any, ...]:
        return content(self.terminal, self.cashier, self.body)


def content(terminal: str, cashier: str, body: Mapping[str, Any]) -> tuple[Any, ...]:
    """What must be equal for two requests to be the same sale; figures that we derive are not in it."""
    said = ("currency", "lines", "payments", "customer_ref", "sold_at")
    return (terminal, cashier, body["totals"]["total"], *(body[key] for key in said))


def prepare(request: SaleRequest, at: Circumstances) -> Sale:
    """The sale as it will be recorded."""
    reasons = broken(request, at)
    sale_id = checked_id(request.sale_id, "sale_id", reasons)
    masked = Masker(reasons)
    cashier = masked(request.cashier, "/cashier")
    body = {
        **money_body(request, at, masked),
        "customer_ref": masked(request.customer_ref, "/customer_ref") if request.customer_ref else None,
        "sold_at": request.sold_at,
    }
    return Sale(sale_id, request.terminal, cashier, body, bounded(reasons))


def checked_id(text: str, name: str, reasons: list[Reason]) -> str:
    """An idempotency key in the ledger's spelling."""
    lowered = text.lower()
    if lowered[_UUID_VERSION] != "7":
        reasons.append(_reason(f"{name}_not_v7", f"the {name} is not a UUIDv7", f"/{name}"))
    return lowered


def money_body(request: Basket, at: Circumstances, masked: Masker) -> dict[str, Any]:
    """What a sale and a refund say in the same words: currency, lines, payments, totals."""
    said = request.model_dump(include={"currency", "lines", "payments"})
    for index, line in enumerate(said["lines"]):
        _mask(line, ("description", "department"), masked, f"/lines/{index}")
    for index, payment in enumerate(said["payments"]):
        _mask(payment, ("method",), masked, f"/payments/{index}")
    return {**said, "totals": _totals(request, at.assignment, at.tax_rates)}


def _mask(part: dict[str, Any], names: tuple[str, ...], masked: Masker, path: str) -> None:
    for name in names:
        if part[name]:
            part[name] = masked(part[name], f"{path}/{name}")


def _totals(request: Basket, assignment: Assignment, tax_rates: Mapping[str, str]) -> dict[str, Any]:
    sums: dict[str, int] = defaultdict(int)
    for line in request.lines:
        if line.tax_code is not None and line.tax_code in tax_rates:
            sums[line.tax_code] += line.total
    by_code = {
        code: money.tax(amount, tax_rates[code], included=assignment.prices_include_tax)
        for code, amount in sums.items()
    }
    return {
        "total": request.totals.total,
        "discount": sum(line.discount for line in request.lines),
        "tax": sum(tax.tax for tax in by_code.values()) if tax_rates else None,
        "tax_by_code": {code: {"base": tax.base, "tax": tax.tax} for code, tax in by_code.items()},
    }


class Masker:
    """Masks free text, and notes where something was hidden."""

    def __init__(self, reasons: list[Reason]) -> None:
        self._reasons = reasons

    def __call__(self, text: str, path: str) -> str:
        masked = mask(text)
        if masked != text:
            self._reasons.append(
                _reason("card_number_masked", "what looked like a card number was hidden", path)
            )
        return masked


def bounded(reasons: list[Reason]) -> tuple[Mapping[str, str], ...]:
    """The exceptions of a record: as many as fit."""
    kept = reasons[:_MOST_EXCEPTIONS]
    if len(reasons) > len(kept):
        kept.append(_reason("more", f"{len(reasons) - len(kept)} more exceptions are not listed", ""))
    # Messages repeat what was sent: a card number that is hidden in a line must not come back here.
    return tuple({**reason.model_dump(), "message": mask(reason.message)} for reason in kept)


def _reason(code: str, message: str, path: str) -> Reason:
    return Reason(code=code, message=message, path=path)
