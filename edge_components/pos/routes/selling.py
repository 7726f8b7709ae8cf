"""Baskets and sales."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from .. import answers
from ..model import Basket, SaleRequest, UninterpretableError, interpret
from ..rules import broken_rules, prepare
from . import bodies
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = (Basket, SaleRequest)


def router(context: Context) -> APIRouter:
    till, nucleus = context.till, context.nucleus
    calls = APIRouter()

    @calls.post(
        "/v1/baskets/check",
        response_model=answers.CheckAnswer,
        responses=bodies.COMMON,
        openapi_extra=bodies.takes(Basket),
        summary="Whether a basket would break a rule, with every reason at once",
    )
    async def check_basket(request: Request) -> Response:
        body = await bodies.read(request, till.settings.max_body_bytes)
        nucleus.busy()
        assignment, _ = till.ready()
        try:
            reasons = broken_rules(interpret(Basket, body), assignment, till.settings.tax_rates)
        except UninterpretableError as error:
            reasons = error.reasons
        return answers.json_answer(
            {"ok": not reasons, "reasons": [reason.model_dump() for reason in reasons]}
        )

    @calls.post(
        "/v1/sales",
        status_code=201,
        response_model=answers.Receipt,
        responses={
            200: {"model": answers.Receipt, "description": "this sale was recorded before"},
            409: {"model": answers.ErrorAnswer, "description": "the sale_id is another sale's"},
            **bodies.COMMON,
        },
        openapi_extra=bodies.takes(SaleRequest),
        summary="Record a sale that has happened; answered once it is on disk",
    )
    async def record_sale(request: Request) -> Response:
        body = await bodies.read(request, till.settings.max_body_bytes)
        nucleus.busy()
        assignment, _ = till.ready()
        try:
            sale = prepare(interpret(SaleRequest, body), assignment, till.settings.tax_rates)
        except UninterpretableError as error:
            await till.reject(bodies.rejection(body, error))
            return answers.error(422, "not_interpretable", str(error), error.reasons)
        outcome = await till.record(sale)
        if outcome.kind == "conflict":
            text = f"{sale.sale_id} is recorded as receipt {outcome.record['receipt_no']} with other content"
            return answers.error(409, "sale_id_taken", text)
        return answers.receipt(outcome.record, 201 if outcome.kind == "new" else 200)

    return calls
