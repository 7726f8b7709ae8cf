"""Card numbers don't belong in a chain that cannot forget."""

from __future__ import annotations

import re

# 13 to 19 digits, single spaces or hyphens between them allowed, as people type card numbers.
_RUN = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_VISIBLE = 4


def mask(text: str) -> str:
    """The text with all but the last four digits hidden in each run of digits that could be a card number."""
    return _RUN.sub(_hide, text)


def _hide(match: re.Match[str]) -> str:
    found = match.group()
    digits = [character for character in found if character.isdigit()]
    if not passes_luhn(digits):
        return found
    hidden = len(digits) - _VISIBLE
    masked = []
    for character in found:
        if character.isdigit() and hidden > 0:
            hidden -= 1
            masked.append("*")
        else:
            masked.append(character)
    return "".join(masked)


def passes_luhn(digits: list[str]) -> bool:
    """The check digit of ISO/IEC 7812."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit)
        if position % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0
