"""How amounts, quantities and lines are called towards a cashier."""

from __future__ import annotations

from decimal import Decimal

from ..assignment import Assignment
from ..model import Line, Reason


def reason(code: str, message: str, path: str) -> Reason:
    return Reason(code=code, message=message, path=path)


def amount(minor: int, assignment: Assignment) -> str:
    """`1234` is `12.34 USD`."""
    exponent = assignment.currency_exponent
    return f"{Decimal(minor).scaleb(-exponent):.{exponent}f} {assignment.currency}"


def quantity(line: Line) -> str:
    """`1250` with three digits after the point is `1.25`."""
    return f"{Decimal(line.quantity).scaleb(-line.quantity_scale).normalize():f}"


def name(line: Line) -> str:
    return line.description or line.sku
