"""The limits that a store sets; without one nothing is checked against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

_NOT_NEGATIVE = {"minimum": 0}
_PERCENT = {"minimum": 0, "maximum": 100}


@dataclass(frozen=True)
class RuleSettings:
    """Amounts are in the store's currency, such as "500.00"; they hold for refunds as for sales."""

    max_lines: int | None = field(default=None, metadata={"minimum": 1})
    max_quantity: Decimal | None = field(
        default=None, metadata=_NOT_NEGATIVE
    )  # of one line, in pieces or units of weight
    max_unit_price: Decimal | None = field(default=None, metadata=_NOT_NEGATIVE)
    max_line_total: Decimal | None = field(default=None, metadata=_NOT_NEGATIVE)
    max_total: Decimal | None = field(default=None, metadata=_NOT_NEGATIVE)
    max_discount_percent: Decimal | None = field(default=None, metadata=_PERCENT)  # of a line before it
    payment_methods: tuple[str, ...] = ()  # empty: any
    tax_code_required: bool = False
    manual_items: bool = True  # lines whose sku is MANUAL, which no catalogue has
    check_catalogue: bool = True  # where the till has one
    # Voids by a cashier alone, where the till knows its cashiers: never, or up to so much.
    void_needs_supervisor: bool = True
    max_void_alone: Decimal | None = field(default=None, metadata=_NOT_NEGATIVE)
    # Day (mon to sun, or daily) to "07:00-22:00", several separated by commas, or "closed"; the store's time.
    opening_hours: dict[str, str] = field(default_factory=dict)
