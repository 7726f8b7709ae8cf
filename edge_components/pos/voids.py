"""A sale taken back whole, before the day that it belongs to is closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .entries import EntryRefusedError, Scene, Settled
from .model import Reason
from .requests import VoidRequest
from .reversals import as_written, reversals_of
from .rules import Masker, bounded, checked_id

_SOLD = "SELECT record, hash FROM records WHERE sale_id = ? AND kind = 'sale'"
# The index is named because the planner would rather walk over everything since the sale.
_CLOSED = """
SELECT 1 FROM records INDEXED BY records_day_close
WHERE kind = 'day_close' AND (epoch, seq) > (?, ?) LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Void:
    """A void ready for its turn; its body is made from the sale that it reverses.

    `alone` is what it may come to without a supervisor, in minor units; None where nobody has to allow it.
    """

    kind: ClassVar[str] = "void"
    sale_id: str
    terminal: str
    cashier: str
    of: str  # the sale_id of the sale
    supervisor: str | None
    reason: str
    exceptions: tuple[Mapping[str, str], ...]
    alone: int | None = None
    approved: bool = False

    def matches(self, found: Mapping[str, Any]) -> bool:
        if found["kind"] != self.kind:
            return False
        body = found["body"]
        said = (found["terminal"], found["cashier"], body["voids"]["sale_id"])
        mine = (self.terminal, self.cashier, self.of)
        return (*said, body["supervisor"], body["reason"]) == (*mine, self.supervisor, self.reason)

    def settle(self, scene: Scene) -> Settled:
        sale = self._sale(scene)
        place = (sale["epoch"], sale["seq"])
        if reversals_of(scene.connection, sale):
            text = f"receipt {sale['receipt_no']} has been voided or refunded before"
            raise EntryRefusedError(409, "sale_reversed", text)
        if scene.connection.execute(_CLOSED, place).fetchone():
            text = f"the day of receipt {sale['receipt_no']} is closed: give a refund instead"
            raise EntryRefusedError(409, "day_closed", text)
        self._refuse_unsupervised(sale)
        voids = {key: sale[key] for key in ("epoch", "seq", "hash", "sale_id", "receipt_no")}
        own = {"voids": voids, "supervisor": self.supervisor, "reason": self.reason}
        return Settled({**negated(sale["body"]), **own}, self.exceptions, reverses=place)

    def _refuse_unsupervised(self, sale: Mapping[str, Any]) -> None:
        if self.alone is None or (self.supervisor and self.approved):
            return
        if _given(sale["body"]) > self.alone:
            text = f"receipt {sale['receipt_no']}: a supervisor must sign in and allow the void"
            raise EntryRefusedError(403, "supervisor_needed", text)

    def _sale(self, scene: Scene) -> Mapping[str, Any]:
        try:
            row = scene.connection.execute(_SOLD, (self.of,)).fetchone()
            if row is None:
                raise EntryRefusedError(404, "sale_unknown", "this till has no such sale")
            found = as_written(*row)
            if found is not None:
                reversals_of(scene.connection, found)
        except ValueError:
            found = None
        if found is None:
            text = "the till's card has changed what is recorded of this sale: give a refund instead"
            raise EntryRefusedError(409, "record_damaged", text)
        return found


def prepare(request: VoidRequest, *, alone: int | None, approved: bool) -> Void:
    """The void as the ledger will meet it; `approved`: the supervisor that it names has just signed in."""
    reasons: list[Reason] = []
    masked = Masker(reasons)
    return Void(
        checked_id(request.void_id, "void_id", reasons),
        request.terminal,
        masked(request.cashier, "/cashier"),
        request.sale_id.lower(),
        masked(request.supervisor, "/supervisor") if request.supervisor else None,
        masked(request.reason, "/reason"),
        bounded(reasons),
        alone,
        approved,
    )


def _given(body: Mapping[str, Any]) -> int:
    """What a void moves: the total, what was paid or what was given out for it, whichever is more.

    Payments of both signs are not set off: cash for a voucher comes to nothing, and is money all the same.
    """
    amounts: list[int] = [payment["amount"] for payment in body["payments"]]
    paid = sum(amount for amount in amounts if amount > 0)
    total: int = body["totals"]["total"]
    return max(abs(total), paid, paid - sum(amounts))


def negated(body: Mapping[str, Any]) -> dict[str, Any]:
    """A sale's body with every amount and quantity turned round; unit prices stay."""
    totals = body["totals"]
    return {
        **body,
        "lines": [
            {**line, **{key: -line[key] for key in ("quantity", "discount", "total")}}
            for line in body["lines"]
        ],
        "payments": [{**payment, "amount": -payment["amount"]} for payment in body["payments"]],
        "totals": {
            "total": -totals["total"],
            "discount": -totals["discount"],
            "tax": None if totals["tax"] is None else -totals["tax"],
            "tax_by_code": {
                code: {"base": -tax["base"], "tax": -tax["tax"]}
                for code, tax in totals["tax_by_code"].items()
            },
        },
    }
