"""Whether a line's goods, price and tax are those that the store sells."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ..model import Line, Reason
from .circumstances import Circumstances
from .words import name, reason

MANUAL = "MANUAL"  # the sku of an item that a cashier typed in


def tax(line: Line, path: str, at: Circumstances) -> Iterator[Reason]:
    if line.tax_code is None:
        if at.rules.tax_code_required:
            yield reason("tax_code_missing", f"{name(line)} has no tax code", f"{path}/tax_code")
    elif at.tax_rates and line.tax_code not in at.tax_rates:
        text = f"{name(line)}: the tax code {line.tax_code} is not known here"
        yield reason("tax_code_unknown", text, f"{path}/tax_code")


def known(line: Line, path: str, at: Circumstances, *, current: bool) -> Iterator[Reason]:
    """Against the catalogue; `current` prices hold for sales, a refund gives back what was paid."""
    if line.sku == MANUAL:
        if not at.rules.manual_items:
            yield reason("manual_item", f"{name(line)}: items cannot be typed in here", f"{path}/sku")
        return
    if at.find is None or not at.rules.check_catalogue:
        return
    item = at.find(line.sku)
    if item is None:
        yield reason("sku_unknown", f"{name(line)} ({line.sku}) is not in the catalogue", f"{path}/sku")
        return
    if not current:
        return
    if line.unit_price is not None and Decimal(line.unit_price) != Decimal(item.unit_price):
        text = f"{name(line)}: the price is {item.unit_price}, not {line.unit_price}"
        yield reason("price_differs", text, f"{path}/unit_price")
    if line.tax_code is not None and item.tax_code and line.tax_code != item.tax_code:
        text = f"{name(line)}: the tax code is {item.tax_code}, not {line.tax_code}"
        yield reason("tax_code_differs", text, f"{path}/tax_code")
