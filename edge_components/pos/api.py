"""The till over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from . import VERSION, answers, page
from .errors import NotSellingError
from .ledger import Rejection
from .model import Basket, SaleRequest, UninterpretableError, interpret
from .nucleus import Nucleus
from .rules import broken_rules, prepare
from .till import Till

_UNAVAILABLE = {"model": answers.ErrorAnswer, "description": "cannot sell now; try the same till again"}
_COMMON: dict[int | str, dict[str, Any]] = {
    413: {"model": answers.ErrorAnswer, "description": "the body is larger than the till takes"},
    415: {"model": answers.ErrorAnswer, "description": "the body is not sent as application/json"},
    422: {"model": answers.ErrorAnswer, "description": "not interpretable; every reason is listed"},
    503: _UNAVAILABLE,
}


class _RefusedBodyError(Exception):
    """A body that is not read; carries the answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


def create(till: Till, nucleus: Nucleus) -> FastAPI:
    """The application; it opens the ledger when it starts and closes it when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        nucleus.start()
        watch = asyncio.create_task(till.watch_assignment())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await asyncio.to_thread(till.close)
            nucleus.stop()

    app = FastAPI(title="Greentill till", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(NotSellingError, _not_selling)
    app.add_exception_handler(_RefusedBodyError, _refused_body)
    _add_selling(app, till, nucleus)
    _add_reading(app, till)
    page.add_routes(app, till)
    _describe_requests(app)
    return app


def _add_selling(app: FastAPI, till: Till, nucleus: Nucleus) -> None:
    @app.post(
        "/v1/baskets/check",
        response_model=answers.CheckAnswer,
        responses=_COMMON,
        openapi_extra=_takes(Basket),
        summary="Whether a basket would break a rule, with every reason at once",
    )
    async def check_basket(request: Request) -> Response:
        body = await _body(request, till.settings.max_body_bytes)
        nucleus.busy()
        assignment, _ = till.ready()
        try:
            reasons = broken_rules(interpret(Basket, body), assignment, till.settings.tax_rates)
        except UninterpretableError as error:
            reasons = error.reasons
        return answers.json_answer(
            {"ok": not reasons, "reasons": [reason.model_dump() for reason in reasons]}
        )

    @app.post(
        "/v1/sales",
        status_code=201,
        response_model=answers.Receipt,
        responses={
            200: {"model": answers.Receipt, "description": "this sale was recorded before"},
            409: {"model": answers.ErrorAnswer, "description": "the sale_id is another sale's"},
            **_COMMON,
        },
        openapi_extra=_takes(SaleRequest),
        summary="Record a sale that has happened; answered once it is on disk",
    )
    async def record_sale(request: Request) -> Response:
        body = await _body(request, till.settings.max_body_bytes)
        nucleus.busy()
        assignment, _ = till.ready()
        try:
            sale = prepare(interpret(SaleRequest, body), assignment, till.settings.tax_rates)
        except UninterpretableError as error:
            await till.reject(_rejection(body, error))
            return answers.error(422, "not_interpretable", str(error), error.reasons)
        outcome = await till.record(sale)
        if outcome.kind == "conflict":
            text = f"{sale.sale_id} is recorded as receipt {outcome.record['receipt_no']} with other content"
            return answers.error(409, "sale_id_taken", text)
        return answers.receipt(outcome.record, 201 if outcome.kind == "new" else 200)


def _add_reading(app: FastAPI, till: Till) -> None:
    @app.get(
        "/v1/sales/{sale_id}",
        summary="A recorded sale, and whether the cloud has it",
        responses={503: _UNAVAILABLE},
    )
    async def find_sale(sale_id: str) -> Response:
        row = await till.find(sale_id)
        if row is None:
            return answers.error(404, "sale_unknown", "this till has no such sale")
        delivered = till.delivered(row.epoch, row.seq)
        return answers.json_answer({**json.loads(row.record), "delivered": delivered})

    @app.get(
        "/v1/health",
        response_model=answers.Health,
        summary="Whether the till sells, and what waits for the cloud",
    )
    async def health() -> Response:
        return answers.json_answer(till.health())


async def _body(request: Request, limit: int) -> bytes:
    # A browser sends other types across origins without asking first: anybody's page could ring up sales.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _RefusedBodyError(answers.error(415, "not_json", "send the body as application/json"))
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            text = f"the body is larger than {limit} bytes"
            raise _RefusedBodyError(answers.error(413, "too_large", text))
        parts.append(part)
    return b"".join(parts)


def _rejection(body: bytes, error: UninterpretableError) -> Rejection:
    reasons = tuple({"code": reason.code, "path": reason.path} for reason in error.reasons)
    return Rejection(hashlib.sha256(body).hexdigest(), len(body), reasons)


async def _not_selling(_request: Request, error: Exception) -> Response:
    if not isinstance(error, NotSellingError):
        raise error
    return answers.not_selling(error)


async def _refused_body(_request: Request, error: Exception) -> Response:
    if not isinstance(error, _RefusedBodyError):
        raise error
    return error.answer


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _describe_requests(app: FastAPI) -> None:
    """Bodies are read by hand, to reject and record them; OpenAPI still tells what they are."""
    _, found = models_json_schema(
        [(Basket, "validation"), (SaleRequest, "validation")], ref_template="#/components/schemas/{model}"
    )
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(found["$defs"])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
