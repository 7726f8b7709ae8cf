"""A record as the lines of a paper receipt: 80 mm paper, 42 columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from .assignment import Assignment
from .masking import mask

COLUMNS = 42
_RULE = "-" * COLUMNS
_TITLES = {
    "refund": "REFUND",
    "void": "VOID",
    "cash_movement": "CASH MOVEMENT",
    "no_sale": "NO SALE",
    "day_close": "Z REPORT",
}
Record = Mapping[str, Any]


def lines(record: Record, assignment: Assignment) -> list[str]:
    """The receipt, line by line; nothing in it is a control character, so that no text steers a printer."""
    body = _BODIES[record["kind"]](record["body"], assignment.currency_exponent)
    return [_plain(line) for line in (*_head(record, assignment), *body, *_foot(record))]


def code(record: Record) -> str:
    """What the receipt's QR code says: enough to find the sale again and to know that it is the same."""
    return f"GT1:{record['thing']}:{record['epoch']}:{record['seq']}:{record['hash']}"


def _head(record: Record, assignment: Assignment) -> Iterator[str]:
    yield _centred(assignment.store_name)
    yield _centred(record["store"])
    if record["kind"] in _TITLES:
        yield _centred(f"*** {_TITLES[record['kind']]} ***")
    local = datetime.fromisoformat(record["recorded_at"]).astimezone(assignment.time_zone)
    yield _pair(record["receipt_no"], f"{local:%Y-%m-%d %H:%M:%S}")
    yield _pair(f"Terminal {record['terminal']}", f"Cashier {record['cashier']}")
    yield _RULE


def _foot(record: Record) -> Iterator[str]:
    yield _RULE
    yield f"{record['thing']} {record['epoch']}-{record['seq']}"


def _goods(body: Record, exponent: int) -> Iterator[str]:
    for line in body["lines"]:
        yield _pair(mask(line["description"] or line["sku"]), money(line["total"], exponent))
        if line["quantity"] not in (0, 10 ** line["quantity_scale"]) and line["unit_price"] is not None:
            yield f"  {money(line['quantity'], line['quantity_scale'])} x {line['unit_price']}"
        if line["discount"]:
            yield f"  discount {money(line['discount'], exponent)}"
    totals = body["totals"]
    yield _RULE
    yield _pair(f"TOTAL {body['currency']}", money(totals["total"], exponent))
    for name, tax in sorted(totals["tax_by_code"].items()):
        yield _pair(f"  tax {name} on {money(tax['base'], exponent)}", money(tax["tax"], exponent))
    for payment in body["payments"]:
        yield _pair(payment["method"], money(payment["amount"], exponent))
    yield from _why(body)


def _why(body: Record) -> Iterator[str]:
    cited = body.get("voids") or body.get("receipt")
    if cited:
        yield f"of {cited.get('receipt_no') or ''} {cited['epoch']}-{cited['seq']}"
    if body.get("verified") is False:
        yield "not verified by this till"
    if body.get("reason"):
        yield f"Reason: {body['reason']}"
    if body.get("supervisor"):
        yield f"Supervisor: {body['supervisor']}"


def _movement(body: Record, exponent: int) -> Iterator[str]:
    yield _pair(f"{body['kind']} {body['currency']}", money(body["amount"], exponent))
    yield from _why(body)


def _report(body: Record, exponent: int) -> Iterator[str]:
    yield _pair("Business date", body["business_date"])
    for name in ("sales", "refunds", "voids", "net"):
        yield _pair(name, money(body["totals"][name], exponent))
    yield _pair("count", str(body["totals"]["count"]))
    for tax in body["tax"]:
        yield _pair(f"tax {tax['code']} on {money(tax['base'], exponent)}", money(tax["tax"], exponent))
    for payment in body["payments"]:
        yield _pair(payment["method"], money(payment["amount"], exponent))
    for department in body["departments"]:
        yield _pair(department["department"] or "(none)", money(department["amount"], exponent))
    for name, amount in body["cash"].items():
        if amount is not None:
            yield _pair(f"cash {name}", money(amount, exponent))


_BODIES = {
    "sale": _goods,
    "refund": _goods,
    "void": _goods,
    "cash_movement": _movement,
    "no_sale": _movement,
    "day_close": _report,
}


def money(amount: int, exponent: int) -> str:
    """1234 at exponent 2 is "12.34"."""
    digits = f"{abs(amount):0{exponent + 1}d}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _fitted(text: str, columns: int) -> str:
    while _width(text) > columns:
        text = text[:-1]
    return text


def _pair(left: str, right: str) -> str:
    left = _fitted(left, COLUMNS - _width(right) - 1)
    return left + " " * (COLUMNS - _width(left) - _width(right)) + right


def _centred(text: str) -> str:
    text = _fitted(text, COLUMNS)
    return " " * ((COLUMNS - _width(text)) // 2) + text


def _plain(line: str) -> str:
    return _fitted("".join(one if one.isprintable() else " " for one in line), COLUMNS).rstrip()
