"""What a receipt's QR code names: the sale that it is of, and the code as a picture for the screen."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from .. import answers
from ..routes import bodies
from ..routes.context import Context
from . import HEADERS, qr

REQUESTS: tuple[type[BaseModel], ...] = ()
_CODE = re.compile(r"GT1:([A-Za-z0-9:_-]{1,128}):([0-9a-f]{16}):([0-9]{1,12}):([0-9a-f]{64})")
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": answers.ErrorAnswer, "description": "no receipt of this till"},
    503: bodies.UNAVAILABLE,
}


def router(context: Context) -> APIRouter:
    till = context.till
    calls = APIRouter(route_class=context.route_class)

    @calls.get(
        "/v1/codes/{code}",
        responses=_UNKNOWN,
        summary="The record that a receipt's QR code names, if it is in this till's ledger",
    )
    async def find(code: str) -> Response:
        assignment, _ = till.ready()
        cited = _CODE.fullmatch(code)
        if cited is None or cited[1] != assignment.thing or int(cited[3]) < 1:
            return _unknown()
        epoch, seq = cited[2], int(cited[3])
        rows = await till.look_up(lambda reader: reader.after(epoch, seq - 1, 1))
        if not rows or (rows[0].epoch, rows[0].seq, rows[0].hash) != (epoch, seq, cited[4]):
            return _unknown()
        return answers.json_answer({**json.loads(rows[0].record), "delivered": till.delivered(epoch, seq)})

    @calls.get(
        "/v1/codes/{code}/qr.svg",
        responses={200: {"content": {"image/svg+xml": {}}}, 404: _UNKNOWN[404]},
        response_class=Response,
        summary="A receipt's QR code as a picture",
    )
    async def picture(code: str) -> Response:
        if _CODE.fullmatch(code) is None:
            return _unknown()
        return Response(qr.svg(code, scale=4), headers=HEADERS, media_type="image/svg+xml")

    return calls


def _unknown() -> Response:
    return answers.error(404, "receipt_unknown", "this till has no such receipt")
