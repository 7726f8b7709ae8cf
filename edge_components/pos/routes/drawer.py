"""The cash drawer, the end of the day and its reports."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from .. import answers, cash, figures
from ..requests import CashMovementRequest, DayCloseRequest
from . import bodies, recording
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = (CashMovementRequest, DayCloseRequest)


def router(context: Context) -> APIRouter:
    calls = APIRouter(route_class=context.route_class)
    till = context.till

    @calls.post(
        "/v1/cash-movements",
        status_code=201,
        response_model=answers.Receipt,
        responses=recording.ANSWERS,
        openapi_extra=bodies.takes(CashMovementRequest),
        summary="Record cash put in or taken out, the day's float, or the drawer opened without a sale",
    )
    async def record_movement(request: Request) -> Response:
        return await recording.record(context, request, CashMovementRequest, cash.prepare_movement)

    @calls.post(
        "/v1/day-close",
        status_code=201,
        response_model=answers.Receipt,
        responses=recording.ANSWERS,
        openapi_extra=bodies.takes(DayCloseRequest),
        summary="Close the trading day: the record's body is the Z report",
    )
    async def close_day(request: Request) -> Response:
        return await recording.record(context, request, DayCloseRequest, cash.prepare_close)

    @calls.get(
        "/v1/reports/x",
        response_model=answers.Report,
        responses={503: bodies.UNAVAILABLE},
        summary="What was taken since the last day close, by all terminals or one",
    )
    async def x_report(terminal: str | None = None) -> Response:
        assignment, _ = till.ready()
        rows = await till.look_up(lambda reader: reader.open_figures())
        date = max((row.business_date for row in rows), default=till.today())
        wanted = [row for row in rows if terminal in (None, row.terminal)]
        return answers.json_answer(figures.report(wanted, business_date=date, currency=assignment.currency))

    @calls.get(
        "/v1/reports/z/{business_date}",
        response_model=answers.Report,
        responses={404: {"model": answers.ErrorAnswer}, 503: bodies.UNAVAILABLE},
        summary="The report of the day close that ended a business date",
    )
    async def z_report(business_date: str) -> Response:
        found = await till.look_up(lambda reader: reader.z_report(business_date))
        if found is None:
            return answers.error(404, "day_not_closed", f"{business_date} was not closed on this till")
        return answers.json_answer(found)

    return calls
