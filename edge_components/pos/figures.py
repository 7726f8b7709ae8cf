"""Running figures: what was taken since the last day close, kept in the transaction of each record.

One row per business date and terminal, so that an X report reads a handful of rows however many records
there are, and a rolled back sale takes its figures with it. Amounts are minor units; what gives money back
(refunds, voids) is negative. What is in the cash drawer: payments by `cash`, floats and other movements.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from edge_components.edgekit.record import MAX_INTEGER

CASH = "cash"  # the payment method that fills the drawer
_COLUMNS = {"sale": "sales", "refund": "refunds", "void": "voids"}
_MOVEMENTS = {"in": 1, "float": 1, "out": -1}
Figures = dict[str, Any]
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)  # of figures that are not as they were written


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one terminal on one business date."""

    business_date: str
    terminal: str
    figures: Mapping[str, Any]


def note(connection: apsw.Connection, record: Mapping[str, Any]) -> None:
    """Count a record that is being written; a day close begins at nothing."""
    if record["kind"] == "day_close":
        connection.execute("DELETE FROM figures").fetchall()
        return
    if record["kind"] not in _COLUMNS and record["kind"] != "cash_movement":
        return
    key = (record["business_date"], record["terminal"])
    found = connection.execute(
        "SELECT figures FROM figures WHERE business_date = ? AND terminal = ?", key
    ).fetchone()
    known = json.loads(found[0]) if found else _nothing()
    _count(known, record)
    connection.execute(
        "INSERT INTO figures VALUES(?, ?, ?)"
        " ON CONFLICT(business_date, terminal) DO UPDATE SET figures = excluded.figures",
        (*key, json.dumps(known, ensure_ascii=False, separators=(",", ":"))),
    ).fetchall()


def mend(connection: apsw.Connection) -> None:
    """Count again where a card has changed what was counted; at a start, in its transaction."""
    try:
        for row in read(connection):
            _merge(_nothing(), row.figures)
    except UNREADABLE:
        rebuild(connection)


def rebuild(connection: apsw.Connection) -> None:
    """Count all records since the last day close again; one that can't be read is left out."""
    connection.execute("DELETE FROM figures").fetchall()
    closed = connection.execute(
        "SELECT epoch, seq FROM records INDEXED BY records_day_close WHERE kind = 'day_close'"
        " ORDER BY epoch DESC, seq DESC LIMIT 1"
    ).fetchone()
    rows = connection.execute(
        "SELECT CAST(record AS BLOB) FROM records WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq",
        closed or ("", 0),
    )
    for (text,) in rows:
        try:
            record = json.loads(text)
        except ValueError:
            continue
        note(connection, record)


def read(connection: apsw.Connection) -> list[Row]:
    """All that is not closed."""
    rows = connection.execute("SELECT business_date, terminal, figures FROM figures")
    return [Row(date, terminal, json.loads(text)) for date, terminal, text in rows]


def report(
    rows: Iterable[Row], *, business_date: str, currency: str, counted: int | None = None
) -> dict[str, Any]:
    """The X or Z report of these rows, in the shape that docs/interfaces.md gives."""
    whole = _nothing()
    for row in rows:
        _merge(whole, row.figures)
    net = whole["sales"] + whole["refunds"] + whole["voids"]
    return {
        "business_date": business_date,
        "currency": currency,
        "totals": {**{name: whole[name] for name in _COLUMNS.values()}, "net": net, "count": whole["count"]},
        "tax": [{"code": code, "base": base, "tax": tax} for code, (base, tax) in _sorted(whole["tax"])],
        "payments": [{"method": name, "amount": amount} for name, amount in _sorted(whole["payments"])],
        "departments": [
            {"department": name or None, "amount": amount} for name, amount in _sorted(whole["departments"])
        ],
        "cash": {
            "expected": whole["cash"],
            "counted": counted,
            "difference": None if counted is None else counted - whole["cash"],
        },
        "first": _place(whole["first"]),
        "last": _place(whole["last"]),
    }


def held(report: Any) -> Any:
    """The report as a record can hold it: a day must end, however large a figure somebody made.

    What is cut is not lost: the records that the figures are made of are there.
    """
    if isinstance(report, dict):
        return {key: held(value) for key, value in report.items()}
    if isinstance(report, list):
        return [held(value) for value in report]
    return max(-MAX_INTEGER, min(MAX_INTEGER, report)) if type(report) is int else report


def _nothing() -> Figures:
    sums = dict.fromkeys((*_COLUMNS.values(), "count", "cash"), 0)
    return {**sums, "tax": {}, "payments": {}, "departments": {}, "first": None, "last": None}


def _count(known: Figures, record: Mapping[str, Any]) -> None:
    body, place = record["body"], [record["epoch"], record["seq"]]
    known["first"] = min(known["first"] or place, place)
    known["last"] = max(known["last"] or place, place)
    if record["kind"] == "cash_movement":
        known["cash"] += _MOVEMENTS[body["kind"]] * body["amount"]
        return
    known[_COLUMNS[record["kind"]]] += body["totals"]["total"]
    known["count"] += 1
    for code, tax in body["totals"]["tax_by_code"].items():
        _add_pair(known["tax"], code, (tax["base"], tax["tax"]))
    for payment in body["payments"]:
        _add(known["payments"], payment["method"], payment["amount"])
        if payment["method"].lower() == CASH:
            known["cash"] += payment["amount"]
    for line in body["lines"]:
        _add(known["departments"], line["department"] or "", line["total"])


def _merge(whole: Figures, part: Mapping[str, Any]) -> None:
    for name in (*_COLUMNS.values(), "count", "cash"):
        whole[name] += part[name]
    for code, pair in part["tax"].items():
        _add_pair(whole["tax"], code, pair)
    for name in ("payments", "departments"):
        for key, amount in part[name].items():
            _add(whole[name], key, amount)
    whole["first"] = min(whole["first"] or part["first"], part["first"])
    whole["last"] = max(whole["last"] or part["last"], part["last"])


def _add(table: dict[str, int], key: str, amount: int) -> None:
    table[key] = table.get(key, 0) + amount


def _add_pair(table: dict[str, Any], key: str, pair: Iterable[int]) -> None:
    before = table.get(key, (0, 0))
    table[key] = [old + new for old, new in zip(before, pair, strict=True)]


def _sorted(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(table.items())


def _place(place: list[Any] | None) -> dict[str, Any] | None:
    return {"epoch": place[0], "seq": place[1]} if place else None
