"""Money given back: checked against the sale in this ledger, in the transaction that records it.

A sale of another till, or one that retention dropped, cannot be checked here: such a refund needs a
supervisor, stays below the limit, is marked unverified, and is checked in the cloud.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

from .assignment import Assignment
from .entries import EntryRefusedError, Scene, Settled
from .masking import mask
from .model import Reason
from .requests import RefundRequest
from .reversals import cited_sale, reversals_of
from .rules import Masker, bounded, checked_id, money_body
from .validation import Circumstances, broken
from .validation.words import amount

_SAID = ("currency", "lines", "payments", "receipt", "supervisor", "reason")
Sums = Mapping[str, tuple[Fraction, int]]  # by sku: quantity, amount


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund ready for its turn; `limit` is what an unverified one may come to, in minor units."""

    kind: ClassVar[str] = "refund"
    sale_id: str
    terminal: str
    cashier: str
    body: Mapping[str, Any]
    exceptions: tuple[Mapping[str, str], ...]
    limit: int
    approved: bool

    def matches(self, found: Mapping[str, Any]) -> bool:
        return found["kind"] == self.kind and _content(found) == (
            self.terminal,
            self.cashier,
            self.body["totals"]["total"],
            *(self.body[key] for key in _SAID),
        )

    def settle(self, scene: Scene) -> Settled:
        sale = cited_sale(scene, self.body["receipt"])
        if sale is None:
            self._refuse_unsupervised(scene.assignment)
            text = "the sale is not in this till's ledger: the cloud checks it"
            unverified = Reason(code="refund_unverified", message=text, path="/receipt").model_dump()
            return Settled({**self.body, "verified": False}, (*self.exceptions, unverified))
        self._refuse_excess(sale, reversals_of(scene.connection, sale), scene.assignment)
        place = (sale["epoch"], sale["seq"])
        return Settled({**self.body, "verified": True}, self.exceptions, reverses=place)

    def _refuse_unsupervised(self, assignment: Assignment) -> None:
        if not self.body["supervisor"] or not self.approved:
            text = "the sale is not in this till's ledger: a supervisor must sign in and allow the refund"
            raise EntryRefusedError(403, "supervisor_needed", text)
        if -_given(self.body) > self.limit:
            text = f"without the sale, at most {amount(self.limit, assignment)} can be refunded"
            raise EntryRefusedError(409, "refund_limit", text)

    def _refuse_excess(
        self, sale: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], assignment: Assignment
    ) -> None:
        sold, taken, new = _by_sku([sale["body"]]), _by_sku(earlier), _by_sku([self.body])
        reasons = []
        for index, line in enumerate(self.body["lines"]):
            left = [_plus(sold, taken, line["sku"], part) for part in (0, 1)]
            after = [rest + new[line["sku"]][part] for part, rest in enumerate(left)]
            if not all(_within(rest, sold.get(line["sku"], (0, 0))[part]) for part, rest in enumerate(after)):
                name = line["description"] or mask(line["sku"])
                text = f"of {name}, {_pieces(left[0])} for {amount(left[1], assignment)} is left to refund"
                reasons.append(_exceeds(text, f"/lines/{index}"))
        rest = _given(sale["body"]) + sum(_given(body) for body in earlier)
        if not _within(rest + _given(self.body), _given(sale["body"])):
            text = f"of the sale, {amount(rest, assignment)} is left to refund"
            reasons.append(_exceeds(text, "/totals/total"))
        if reasons:
            raise EntryRefusedError(409, "refund_exceeds_sale", reasons[0].message, reasons)


def prepare(request: RefundRequest, at: Circumstances, *, limit: int, approved: bool) -> Refund:
    """The refund as it will be recorded, but for what only the ledger knows.

    `approved`: the supervisor that it names has just signed in.
    """
    reasons = broken(request, at)
    refund_id = checked_id(request.refund_id, "refund_id", reasons)
    masked = Masker(reasons)
    body = {
        **money_body(request, at, masked),
        "receipt": request.receipt.model_dump() if request.receipt else None,
        "supervisor": masked(request.supervisor, "/supervisor") if request.supervisor else None,
        "reason": masked(request.reason, "/reason"),
    }
    cashier = masked(request.cashier, "/cashier")
    return Refund(refund_id, request.terminal, cashier, body, bounded(reasons), limit, approved)


def _content(found: Mapping[str, Any]) -> tuple[Any, ...]:
    body = found["body"]
    said = (body[key] for key in _SAID)
    return (found["terminal"], found["cashier"], body["totals"]["total"], *said)


def _given(body: Mapping[str, Any]) -> int:
    """What changes hands: the total or the payments, whichever is further from nothing."""
    total: int = body["totals"]["total"]
    paid: int = sum(payment["amount"] for payment in body["payments"])
    return max(total, paid, key=abs)


def _by_sku(bodies: Sequence[Mapping[str, Any]]) -> Sums:
    sums: dict[str, tuple[Fraction, int]] = defaultdict(lambda: (Fraction(0), 0))
    for body in bodies:
        for line in body["lines"]:
            quantity, amount = sums[line["sku"]]
            more = Fraction(line["quantity"], 10 ** line["quantity_scale"])
            sums[line["sku"]] = (quantity + more, amount + line["total"])
    return sums


def _pieces(quantity: Fraction) -> str:
    """A number of pieces, or a weight: at most six digits stand after its point."""
    return f"{Decimal(quantity.numerator) / quantity.denominator:f}"


def _plus(sold: Sums, taken: Sums, sku: str, part: int) -> Any:
    nothing = (Fraction(0), 0)
    return sold.get(sku, nothing)[part] + taken.get(sku, nothing)[part]


def _within(rest: Fraction | int, whole: Fraction | int) -> bool:
    """Whether what would be left is still a part of what there was, whichever its sign."""
    return min(0, whole) <= rest <= max(0, whole)


def _exceeds(message: str, path: str) -> Reason:
    return Reason(code="refund_exceeds_sale", message=message, path=path)
