"""Receipts again: for the screen, as lines of paper, as bytes for a printer."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from .. import answers, escpos, receipt_text
from ..figures import CASH
from . import bodies
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = ()
_ANSWERS: dict[int | str, dict[str, Any]] = {404: {"model": answers.ErrorAnswer}, 503: bodies.UNAVAILABLE}


def router(context: Context) -> APIRouter:
    calls = APIRouter()
    till = context.till

    async def find(receipt_no: str) -> tuple[dict[str, Any], list[str]] | None:
        assignment, _ = till.ready()
        row = await till.look_up(lambda reader: reader.receipt(receipt_no))
        if row is None:
            return None
        found = {**json.loads(row.record), "delivered": till.delivered(row.epoch, row.seq)}
        return found, receipt_text.lines(found, assignment)

    @calls.get(
        "/v1/receipts/{receipt_no}",
        responses=_ANSWERS,
        summary="A record by its receipt number, its receipt as lines, what its QR code says",
    )
    async def reprint(receipt_no: str) -> Response:
        found = await find(receipt_no)
        if found is None:
            return _unknown(receipt_no)
        record, text = found
        return answers.json_answer({**record, "text": text, "code": receipt_text.code(record)})

    @calls.get(
        "/v1/receipts/{receipt_no}/escpos",
        responses={200: {"content": {"application/octet-stream": {}}}, **_ANSWERS},
        response_class=Response,
        summary="The receipt as ESC/POS bytes; `drawer` opens the cash drawer where cash was paid",
    )
    async def print_again(receipt_no: str, drawer: bool = False) -> Response:
        found = await find(receipt_no)
        if found is None:
            return _unknown(receipt_no)
        record, text = found
        opens = drawer and _moves_cash(record)
        content = escpos.receipt(text, receipt_text.code(record), open_drawer=opens)
        return Response(content, media_type="application/octet-stream")

    return calls


def _moves_cash(record: dict[str, Any]) -> bool:
    payments = record["body"].get("payments", [])
    return record["kind"] in ("cash_movement", "no_sale") or any(
        payment["method"].lower() == CASH for payment in payments
    )


def _unknown(receipt_no: str) -> Response:
    return answers.error(404, "receipt_unknown", f"this till has no receipt {receipt_no[:40]}")
