"""Money in integers: minor units at the currency's ISO 4217 exponent, no floats anywhere.

Half-up rounds a half away from zero, so that a refund takes back exactly what the sale took.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")


class MoneyError(ValueError):
    """A text that is no decimal number, or parts that cannot be shared out."""


@dataclass(frozen=True, slots=True)
class Tax:
    """What one tax code comes to, in minor units: `base` is without the tax."""

    base: int
    tax: int


def decimal(text: str) -> Fraction:
    """A decimal string as an exact number; raises MoneyError for anything else, exponents included."""
    if not _DECIMAL.fullmatch(text):
        raise MoneyError(f"{text!r} is not a decimal number")
    return Fraction(text)


def half_up(value: Fraction) -> int:
    """The nearest integer, a half away from zero."""
    return _rounded(value.numerator, value.denominator)


def _rounded(numerator: int, denominator: int) -> int:
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude


def minor_units(text: str, exponent: int) -> int:
    """`"12.34"` at exponent 2 is 1234; what is finer than a minor unit is rounded half-up."""
    return half_up(decimal(text) * 10**exponent)


def line_total(quantity: int, scale: int, unit_price: str, exponent: int) -> int:
    """`quantity` (with `scale` digits after the point) at `unit_price`, in minor units, half-up."""
    if not _DECIMAL.fullmatch(unit_price):
        raise MoneyError(f"{unit_price!r} is not a decimal number")
    whole, _, part = unit_price.partition(".")
    # In integers: a Fraction for each line of a basket is what a till would spend most of its time on.
    return _rounded(quantity * int(whole + part) * 10**exponent, 10 ** (scale + len(part)))


def tax(amount: int, rate: str, *, included: bool) -> Tax:
    """The tax on the sum of one code's lines; `rate` is a fraction such as "0.0825"."""
    fraction = decimal(rate)
    if included:
        base = half_up(amount / (1 + fraction))
        return Tax(base=base, tax=amount - base)
    return Tax(base=amount, tax=half_up(amount * fraction))


def share(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` in proportion to `weights` (none negative) by largest remainder.

    The parts sum to the amount exactly. Equal remainders go to the earlier part.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise MoneyError("weights must not be negative, and one of them must be positive")
    sign = -1 if amount < 0 else 1
    quotas = [divmod(abs(amount) * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in quotas]
    by_remainder = sorted(range(len(weights)), key=lambda index: -quotas[index][1])
    for index in by_remainder[: abs(amount) - sum(parts)]:
        parts[index] += 1
    return [sign * part for part in parts]
