"""Looking products up over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from .. import answers
from ..masking import mask
from ..routes.context import Context

REQUESTS: tuple[type[BaseModel], ...] = ()
MOST = 200

Text = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=MOST)]


class CatalogueItem(BaseModel):
    sku: str
    barcodes: list[str]
    description: str
    department: str | None
    unit_price: str
    tax_code: str | None
    sold_by: Literal["each", "weight"]


class CatalogueAnswer(BaseModel):
    """`version` is null before the till has its first catalogue."""

    version: str | None
    items: list[CatalogueItem]


def router(context: Context) -> APIRouter:
    catalogue = context.till.catalogue
    calls = APIRouter(route_class=context.route_class)

    @calls.get(
        "/v1/catalogue",
        response_model=CatalogueAnswer,
        summary="Products by words, beginnings of words or codes, and by department",
    )
    async def search(query: Text = "", department: Text | None = None, limit: Limit = 50) -> Response:
        version, items = await asyncio.to_thread(catalogue.search, query, department or None, limit)
        return answers.json_answer({"version": version, "items": [asdict(item) for item in items]})

    @calls.get(
        "/v1/catalogue/{code}",
        response_model=CatalogueAnswer,
        responses={404: {"model": answers.ErrorAnswer, "description": "no such product"}},
        summary="The product with this sku or barcode",
    )
    async def find(code: str) -> Response:
        version, item = await asyncio.to_thread(catalogue.lookup, code)
        if item is None:
            where = f"catalogue {version}" if version else "this till, which has no catalogue yet"
            return answers.error(404, "product_unknown", f"{mask(code[:64])} is not in {where}")
        return answers.json_answer({"version": version, "items": [asdict(item)]})

    return calls
