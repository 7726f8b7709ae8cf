"""What the till looks up in its ledger besides single sales: receipts, reports, the day's figures."""

from __future__ import annotations

import json
from typing import Any

from edge_components.edgekit.ledger import LedgerReader, Row

from . import epochs, figures


class TillReader(LedgerReader):
    """Reads beside the writer, as every other reader does; calls raise LedgerUnavailableError."""

    def receipt(self, receipt_no: str) -> Row | None:
        """The record that has this receipt number.

        Receipts count up along an epoch, so a search by halves finds one without an index: selling never
        pays for looking up.
        """
        series, _, digits = receipt_no.rpartition("-")
        if not digits.isascii() or not digits.isdecimal():
            return None
        number = int(digits)
        for head in self.heads():
            if epochs.series(head.epoch) == series:
                return self._search(head.epoch, head.seq, number)
        return None

    def _search(self, epoch: str, last: int, number: int) -> Row | None:
        low, high = number, last  # seq is never below the receipt's number
        while low <= high:
            middle = (low + high) // 2
            row = self._first_receipt(epoch, middle, high)
            if row is None:
                high = middle - 1
                continue
            found = int((row.receipt_no or "").rpartition("-")[2])
            if found == number:
                return row
            if found < number:
                low = row.seq + 1
            else:
                high = middle - 1
        return None

    def _first_receipt(self, epoch: str, first: int, last: int) -> Row | None:
        rows = self._rows(
            "WHERE epoch = ? AND seq BETWEEN ? AND ? AND receipt_no IS NOT NULL ORDER BY seq LIMIT 1",
            (epoch, first, last),
        )
        return rows[0] if rows else None

    def open_figures(self) -> list[figures.Row]:
        """What was taken since the last day close."""
        rows = self._all("SELECT business_date, terminal, figures FROM figures", ())
        return [figures.Row(date, terminal, json.loads(text)) for date, terminal, text in rows]

    def z_report(self, business_date: str) -> dict[str, Any] | None:
        """The report of the day close that ended a business date, the latest if there are several."""
        rows = self._all(
            "SELECT record FROM records INDEXED BY records_day_close"
            " WHERE kind = 'day_close' AND business_date >= ? ORDER BY epoch DESC, seq DESC",
            (business_date,),
        )
        reports = (json.loads(text)["body"] for (text,) in rows)
        return next((report for report in reports if report["business_date"] == business_date), None)
