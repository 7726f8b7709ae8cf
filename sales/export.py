"""A store's business day as CSV: one file per store and day, a row per record or per line of it.

Amounts are exact decimals with the currency's digits after the point, never floats; refunds and voids are
negative. Times are UTC by the till's clock.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from edge_components.edgekit import record
from infra.currencies import EXPONENTS
from sales.copies import TAKINGS
from sales.reconcile import Cloud

INDEX = "by-store-date"
RECORDS = (
    *(
        "store",
        "business_date",
        "till",
        "terminal",
        "cashier",
        "receipt_no",
        "kind",
        "recorded_at",
        "currency",
    ),
    *("total", "discount", "tax", "payments", "lines", "exceptions", "sale_id", "epoch", "seq", "hash"),
)
LINES = (
    *("store", "business_date", "till", "receipt_no", "kind", "recorded_at", "line", "sku", "description"),
    *("department", "quantity", "unit_price", "discount", "total", "tax_code", "currency"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a text


class ExportError(Exception):
    """Nothing can be exported; the text says what to do."""


@dataclass(frozen=True)
class Exported:
    """One file that was written. `totals`: per currency, minor units of sales, refunds and voids."""

    path: Path
    store: str
    business_date: str
    records: int
    rows: int
    totals: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        totals = {currency: decimal(amount, currency) for currency, amount in self.totals.items()}
        return {**vars(self), "path": str(self.path), "totals": totals}


def days(text: str) -> list[str]:
    """`2026-11-20`, or `2026-11-01..2026-11-20` with both ends. Raises ExportError."""
    first, _, last = text.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise ExportError(f"{text!r} is no date; write 2026-11-20 or 2026-11-01..2026-11-20") from error
    if end < begin:
        raise ExportError(f"{text!r} ends before it begins")
    return [(begin + timedelta(days=number)).isoformat() for number in range((end - begin).days + 1)]


def export(
    cloud: Cloud,
    store: str,
    day: str,
    folder: Path,
    *,
    per_line: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write `<store>-<day>.csv` (or `-lines.csv`), whole or not at all; a page is in memory at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{store}-{day}{'-lines' if per_line else ''}.csv"
    totals: dict[str, int] = {}
    records = rows = 0
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, LINES if per_line else RECORDS)
            out.writeheader()
            for content in _records(cloud, store, day):
                made = list(_lines_of(content)) if per_line else [_row(content)]
                out.writerows(made)
                currency = content["body"]["currency"]
                totals[currency] = totals.get(currency, 0) + content["body"]["totals"]["total"]
                records, rows = records + 1, rows + len(made)
                progress(1)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Exported(path, store, day, records, rows, totals)


def _records(cloud: Cloud, store: str, day: str) -> Iterator[dict[str, Any]]:
    """Sales, refunds and voids of one store and day, by epoch and seq."""
    pages = cloud.dynamodb.get_paginator("query").paginate(
        TableName=cloud.names.sales_table,
        IndexName=INDEX,
        KeyConditionExpression="store_date = :day",
        ExpressionAttributeValues={":day": {"S": f"{store}#{day}"}},
    )
    for page in pages:
        for entry in page["Items"]:
            content = record.parse(entry["record"]["S"])
            if record.record_hash(content) != content["hash"]:
                raise ExportError(
                    f"the record {entry['sk']['S']} of {entry['pk']['S']} is not what it was; "
                    "run: greentill sales reconcile"
                )
            if content["kind"] in TAKINGS:
                yield content


def decimal(amount: int, currency: str) -> str:
    """Minor units as an exact decimal: 1234 USD is 12.34."""
    return scaled(amount, EXPONENTS.get(currency, 2))


def scaled(number: int, digits: int) -> str:
    sign, text = ("-" if number < 0 else ""), str(abs(number)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def _row(content: Mapping[str, Any]) -> dict[str, Any]:
    body = content["body"]
    currency, totals = body["currency"], body["totals"]
    payments = [f"{one['method']}={decimal(one['amount'], currency)}" for one in body["payments"]]
    return {
        **_about(content),
        "terminal": _text(content["terminal"]),
        "cashier": _text(content["cashier"]),
        "total": decimal(totals["total"], currency),
        "discount": decimal(totals.get("discount") or 0, currency),
        "tax": decimal(totals.get("tax") or 0, currency),
        "payments": _text(";".join(payments)),
        "lines": len(body["lines"]),
        "exceptions": ";".join(one["code"] for one in content["exceptions"]),
        "sale_id": content["sale_id"],
        "epoch": content["epoch"],
        "seq": content["seq"],
        "hash": content["hash"],
    }


def _lines_of(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    currency = content["body"]["currency"]
    for number, line in enumerate(content["body"]["lines"], 1):
        yield {
            **_about(content),
            "line": number,
            "sku": _text(line["sku"]),
            "description": _text(line["description"]),
            "department": _text(line["department"]),
            "quantity": scaled(line["quantity"], line["quantity_scale"]),
            "unit_price": line["unit_price"],
            "discount": decimal(line["discount"], currency),
            "total": decimal(line["total"], currency),
            "tax_code": _text(line["tax_code"]),
        }


def _about(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "store": content["store"],
        "business_date": content["business_date"],
        "till": content["thing"],
        "receipt_no": content["receipt_no"],
        "kind": content["kind"],
        "recorded_at": content["recorded_at"],
        "currency": content["body"]["currency"],
    }


def _text(value: Any) -> str:
    """A text as a spreadsheet shows it rather than runs it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
