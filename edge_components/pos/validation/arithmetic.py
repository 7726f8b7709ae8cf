"""Whether the figures of a basket lead to each other."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from edge_components.edgekit import money

from ..assignment import Assignment
from ..model import Basket, Line, Reason
from .words import amount, name, quantity, reason


def lines(basket: Basket, assignment: Assignment) -> Iterator[Reason]:
    for index, line in enumerate(basket.lines):
        if not _explained(line, assignment.currency_exponent):
            less = f" less {amount(line.discount, assignment)}" if line.discount else ""
            rung_up = f"{name(line)}: {quantity(line)} x {line.unit_price}{less}"
            text = f"{rung_up} is not {amount(line.total, assignment)}"
            yield reason("line_total_mismatch", text, f"/lines/{index}/total")


def sums(basket: Basket, assignment: Assignment, *, paid_for: bool) -> Iterator[Reason]:
    """`paid_for`: it has happened, so that something must have been paid."""
    total = basket.totals.total
    rung_up = sum(line.total for line in basket.lines)
    if rung_up != total:
        text = f"the lines come to {amount(rung_up, assignment)}, not {amount(total, assignment)}"
        yield reason("sum_mismatch", text, "/totals/total")
    paid = sum(payment.amount for payment in basket.payments)
    if basket.payments and paid != total:
        text = f"the payments come to {amount(paid, assignment)}, not {amount(total, assignment)}"
        yield reason("payments_mismatch", text, "/payments")
    if paid_for and not basket.payments and total:
        yield reason("no_payment", f"nothing was paid of {amount(total, assignment)}", "/payments")


def _explained(line: Line, exponent: int) -> bool:
    """Whether price and quantity lead to the total; a price finer than the currency is a rounded one."""
    if line.unit_price is None or line.quantity == 0:
        return True
    exact = line.total + line.discount
    if money.line_total(line.quantity, line.quantity_scale, line.unit_price, exponent) == exact:
        return True
    digits = len(line.unit_price.partition(".")[2])
    if digits <= exponent:
        return False
    pieces = Fraction(line.quantity, 10**line.quantity_scale)
    slack = abs(pieces) * Fraction(10**exponent, 2 * 10**digits) + Fraction(1, 2)
    return bool(abs(pieces * money.decimal(line.unit_price) * 10**exponent - exact) <= slack)
