"""Baskets and sales."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from .. import answers
from ..masking import mask
from ..model import Basket, Reason, SaleRequest, UninterpretableError, interpret
from ..rules import prepare
from ..validation import broken
from . import bodies, recording
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = (Basket, SaleRequest)


def router(context: Context) -> APIRouter:
    till, nucleus = context.till, context.nucleus
    calls = APIRouter(route_class=context.route_class)

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
            reasons = broken(interpret(Basket, body), context.circumstances(request, assignment))
        except UninterpretableError as error:
            reasons = error.reasons
        return answers.json_answer({"ok": not reasons, "reasons": [_said(reason) for reason in reasons]})

    @calls.post(
        "/v1/sales",
        status_code=201,
        response_model=answers.Receipt,
        responses=recording.ANSWERS,
        openapi_extra=bodies.takes(SaleRequest),
        summary="Record a sale that has happened; answered once it is on disk",
    )
    async def record_sale(request: Request) -> Response:
        return await recording.record(
            context,
            request,
            SaleRequest,
            lambda sale, assignment: prepare(sale, context.circumstances(request, assignment)),
        )

    return calls


def _said(reason: Reason) -> dict[str, str]:
    """A reason repeats what was typed: a card number is shown to nobody."""
    return {**reason.model_dump(), "message": mask(reason.message)}
