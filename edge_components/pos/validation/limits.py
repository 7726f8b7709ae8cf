"""Whether a basket stays within what the store allows: quantities, prices, totals, discounts, payments."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ..assignment import Assignment
from ..model import Basket, Line, Reason
from .settings import RuleSettings
from .words import amount, name, quantity, reason


def basket_limits(basket: Basket, rules: RuleSettings, assignment: Assignment) -> Iterator[Reason]:
    if rules.max_lines is not None and len(basket.lines) > rules.max_lines:
        text = f"{len(basket.lines)} lines are more than the {rules.max_lines} that one basket may have"
        yield reason("too_many_lines", text, "/lines")
    most = minor(rules.max_total, assignment)
    if most is not None and abs(basket.totals.total) > most:
        text = (
            f"{amount(basket.totals.total, assignment)} is more than the {amount(most, assignment)} allowed"
        )
        yield reason("total_too_high", text, "/totals/total")
    for index, payment in enumerate(basket.payments):
        if rules.payment_methods and payment.method not in rules.payment_methods:
            text = f"{payment.method} is not taken here, only {', '.join(rules.payment_methods)}"
            yield reason("payment_method_unknown", text, f"/payments/{index}/method")


def line_limits(line: Line, path: str, rules: RuleSettings, assignment: Assignment) -> Iterator[Reason]:
    if rules.max_quantity is not None:
        pieces = abs(Decimal(line.quantity).scaleb(-line.quantity_scale))
        if pieces > rules.max_quantity:
            asked = f"{name(line)}: {quantity(line)}"
            text = f"{asked} is more than the {rules.max_quantity} that one line may have"
            yield reason("quantity_too_high", text, f"{path}/quantity")
    if rules.max_unit_price is not None and line.unit_price is not None:
        price = Decimal(line.unit_price)
        if abs(price) > rules.max_unit_price:
            text = f"{name(line)}: a price of {price} is more than the {rules.max_unit_price} allowed"
            yield reason("price_too_high", text, f"{path}/unit_price")
    most = minor(rules.max_line_total, assignment)
    if most is not None and abs(line.total) > most:
        asked = f"{name(line)}: {amount(line.total, assignment)}"
        text = f"{asked} is more than {amount(most, assignment)} for one line"
        yield reason("line_total_too_high", text, f"{path}/total")
    yield from _discount(line, path, rules, assignment)


def _discount(line: Line, path: str, rules: RuleSettings, assignment: Assignment) -> Iterator[Reason]:
    if line.discount == 0:
        return
    before = line.total + line.discount
    where = f"{path}/discount"
    taken = amount(line.discount, assignment)
    if (line.discount < 0) != (before < 0):
        yield reason("discount_raises_price", f"{name(line)}: a discount of {taken} makes it dearer", where)
    elif abs(line.discount) > abs(before):
        text = f"{name(line)}: a discount of {taken} is more than the {amount(before, assignment)} it costs"
        yield reason("discount_exceeds_price", text, where)
    elif rules.max_discount_percent is not None and (
        abs(line.discount) * 100 > rules.max_discount_percent * abs(before)
    ):
        text = f"{name(line)}: a discount of {taken} is more than {rules.max_discount_percent} % of the price"
        yield reason("discount_too_high", text, where)


def minor(value: Decimal | None, assignment: Assignment) -> int | None:
    """An amount of the rules in minor units of the store's currency."""
    return None if value is None else int(value.scaleb(assignment.currency_exponent))
