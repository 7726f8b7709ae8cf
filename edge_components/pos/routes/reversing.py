"""Refunds and voids."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from .. import answers, refunds, voids
from ..requests import RefundRequest, VoidRequest
from . import bodies, recording
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = (RefundRequest, VoidRequest)
_SUPERVISED = {"model": answers.ErrorAnswer, "description": "a supervisor must allow it"}
_UNKNOWN = {"model": answers.ErrorAnswer, "description": "this till has no such sale"}


def router(context: Context) -> APIRouter:
    calls = APIRouter(route_class=context.route_class)

    @calls.post(
        "/v1/refunds",
        status_code=201,
        response_model=answers.Receipt,
        responses={403: _SUPERVISED, **recording.ANSWERS},
        openapi_extra=bodies.takes(RefundRequest),
        summary="Record money given back, checked against its sale where that is in this ledger",
    )
    async def record_refund(request: Request) -> Response:
        return await recording.record(
            context,
            request,
            RefundRequest,
            lambda refund, assignment: refunds.prepare(
                refund,
                context.circumstances(request, assignment),
                limit=context.till.settings.refund_limit,
                approved=refund.supervisor is not None and context.access.approves(refund.supervisor),
            ),
        )

    @calls.post(
        "/v1/voids",
        status_code=201,
        response_model=answers.Receipt,
        responses={403: _SUPERVISED, 404: _UNKNOWN, **recording.ANSWERS},
        openapi_extra=bodies.takes(VoidRequest),
        summary="Take back a whole sale of this till before its day is closed",
    )
    async def record_void(request: Request) -> Response:
        return await recording.record(
            context,
            request,
            VoidRequest,
            lambda void, assignment: voids.prepare(
                void,
                alone=context.void_alone(assignment),
                approved=void.supervisor is not None and context.access.approves(void.supervisor),
            ),
        )

    return calls
