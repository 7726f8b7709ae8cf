"""What the till answers: shapes for OpenAPI, and how a record becomes an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from .errors import NotSellingError
from .model import Reason

RETRY_AFTER = "2"  # seconds: a terminal keeps its basket and asks the same till again


class Receipt(BaseModel):
    """What is on disk when the answer arrives."""

    sale_id: str
    receipt_no: str
    epoch: str
    seq: int
    hash: str
    prev_hash: str
    business_date: str
    recorded_at: str
    exceptions: list[Reason]


class Printed(BaseModel):
    receipt_no: str


class CheckAnswer(BaseModel):
    ok: bool
    reasons: list[Reason]


class ErrorDetail(BaseModel):
    code: str
    message: str
    reasons: list[Reason] = []


class ErrorAnswer(BaseModel):
    error: ErrorDetail


class Health(BaseModel):
    """`status` is `selling`, or the code of what keeps the till from it.

    Undelivered is what table or bucket lacks, unreached what the table lacks; both as the oldest one's age.
    """

    status: str
    thing: str | None
    store: str | None
    epoch: str | None
    seq: int | None
    records: int
    backlog: int | None
    oldest_undelivered_seconds: int | None
    unreached_seconds: int | None
    version: str
    catalogue_version: str | None


class Place(BaseModel):
    epoch: str
    seq: int


class ReportTotals(BaseModel):
    """Refunds and voids are negative; `count` is of sales, refunds and voids."""

    sales: int
    refunds: int
    voids: int
    net: int
    count: int


class TaxFigure(BaseModel):
    code: str
    base: int
    tax: int


class PaymentFigure(BaseModel):
    method: str
    amount: int


class DepartmentFigure(BaseModel):
    department: str | None
    amount: int


class CashFigure(BaseModel):
    expected: int
    counted: int | None
    difference: int | None


class Report(BaseModel):
    """An X or Z report, in minor units."""

    business_date: str
    currency: str
    totals: ReportTotals
    tax: list[TaxFigure]
    payments: list[PaymentFigure]
    departments: list[DepartmentFigure]
    cash: CashFigure
    first: Place | None
    last: Place | None


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, status, headers=dict(headers or {}), media_type="application/json")


def receipt(record: Mapping[str, Any], status: int) -> Response:
    return json_answer({key: record[key] for key in Receipt.model_fields}, status)


def error(status: int, code: str, message: str, reasons: list[Reason] | None = None) -> Response:
    detail = ErrorDetail(code=code, message=message, reasons=reasons or [])
    return json_answer(ErrorAnswer(error=detail).model_dump(), status)


def not_selling(refusal: NotSellingError) -> Response:
    detail = ErrorDetail(code=refusal.code, message=refusal.message)
    return json_answer(ErrorAnswer(error=detail).model_dump(), 503, {"Retry-After": RETRY_AFTER})
