"""Receipts again: for the screen, as lines of paper, as bytes for a printer."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from .. import answers, escpos, receipt_text
from ..figures import CASH
from ..model import UninterpretableError, interpret
from ..printing import PrinterError
from ..requests import PrintRequest
from . import bodies
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = (PrintRequest,)
_ANSWERS: dict[int | str, dict[str, Any]] = {404: {"model": answers.ErrorAnswer}, 503: bodies.UNAVAILABLE}
_PRINT_ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"model": answers.ErrorAnswer, "description": "this till has no such receipt"},
    409: {"model": answers.ErrorAnswer, "description": "this till has no printer"},
    **bodies.COMMON,
    503: {"model": answers.ErrorAnswer, "description": "the printer can't now, and why; or the till can't"},
}


def router(context: Context) -> APIRouter:
    calls = APIRouter(route_class=context.route_class)
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
        return Response(_bytes(*found, drawer=drawer), media_type="application/octet-stream")

    @calls.post(
        "/v1/receipts/{receipt_no}/print",
        response_model=answers.Printed,
        responses=_PRINT_ANSWERS,
        openapi_extra=bodies.takes(PrintRequest),
        summary="Print the receipt on the till's printer; answered when it is out, or with what is wrong",
    )
    async def print_here(receipt_no: str, request: Request) -> Response:
        body = await bodies.read(request, till.settings.max_body_bytes)
        try:
            wanted = interpret(PrintRequest, body)
        except UninterpretableError as error:
            return answers.error(422, "not_interpretable", str(error), error.reasons)
        found = await find(receipt_no)
        if found is None:
            return _unknown(receipt_no)
        try:
            content = _bytes(*found, drawer=wanted.drawer)
            await context.printer.print(context.rules.settings.printer, content)
        except PrinterError as error:
            return answers.error(409 if error.code == "no_printer" else 503, error.code, error.message)
        return answers.json_answer({"receipt_no": receipt_no})

    return calls


def _bytes(record: dict[str, Any], text: list[str], *, drawer: bool) -> bytes:
    opens = drawer and _moves_cash(record)
    return escpos.receipt(text, receipt_text.code(record), open_drawer=opens)


def _moves_cash(record: dict[str, Any]) -> bool:
    payments = record["body"].get("payments", [])
    return record["kind"] in ("cash_movement", "no_sale") or any(
        payment["method"].lower() == CASH for payment in payments
    )


def _unknown(receipt_no: str) -> Response:
    return answers.error(404, "receipt_unknown", f"this till has no receipt {receipt_no[:40]}")
