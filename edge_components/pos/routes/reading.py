"""Looking up what is recorded, and how the till is."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response
from pydantic import BaseModel

from .. import answers
from . import bodies
from .context import Context

REQUESTS: tuple[type[BaseModel], ...] = ()


def router(context: Context) -> APIRouter:
    till = context.till
    calls = APIRouter(route_class=context.route_class)

    @calls.get(
        "/v1/sales/{sale_id}",
        summary="A recorded sale, and whether the cloud has it",
        responses={503: bodies.UNAVAILABLE},
    )
    async def find_sale(sale_id: str) -> Response:
        row = await till.find(sale_id)
        if row is None:
            return answers.error(404, "sale_unknown", "this till has no such sale")
        delivered = till.delivered(row.epoch, row.seq)
        return answers.json_answer({**json.loads(row.record), "delivered": delivered})

    @calls.get(
        "/v1/health",
        response_model=answers.Health,
        summary="Whether the till sells, and what waits for the cloud",
    )
    async def health() -> Response:
        return answers.json_answer(till.health())

    return calls
