"""The till page: files served as they are, with a policy that lets nothing else in."""

from __future__ import annotations

import json
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response

from .. import barcodes
from ..answers import json_answer
from ..figures import CASH

if TYPE_CHECKING:
    from ..routes.context import Context
    from ..till import Till

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PRODUCTS = "products.json"
_METHODS = (CASH, "card")  # where the rules name none


def add_routes(app: FastAPI, context: Context) -> None:
    """The page, and what it needs to know of the till."""
    till, access = context.till, context.access
    folder = resources.files(__package__)
    _add_files(app, folder, "/")
    _add_files(app, folder / "languages", "/languages/")
    shipped = json.loads((folder / _PRODUCTS).read_text(encoding="utf-8"))

    @app.get("/v1/till", summary="What the till page shows: the store, its money, its product buttons")
    async def describe() -> Response:
        assignment, _ = till.ready()
        settings = context.rules.settings
        printer = {"automatic": settings.printer.automatic} if settings.printer.present else None
        return json_answer(
            {
                "thing": assignment.thing,
                "store": assignment.store,
                "store_name": assignment.store_name,
                "terminals": assignment.terminals,
                "currency": assignment.currency,
                "currency_exponent": assignment.currency_exponent,
                "locale": assignment.locale,
                "sign_in": access.cashiers.any(),
                "void_alone": context.void_alone(assignment),
                "lan_url": access.lan_url(),
                "payment_methods": settings.rules.payment_methods or _METHODS,
                "barcode_patterns": barcodes.usable(settings.barcode_patterns),
                "printer": printer,
                "products": _products(till) or shipped,
            }
        )


def _add_files(app: FastAPI, folder: Traversable, under: str) -> None:
    for file in folder.iterdir():
        media_type = _TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            _add_file(app, under + file.name, file.read_bytes(), media_type)


def _add_file(app: FastAPI, path: str, content: bytes, media_type: str) -> None:
    async def serve(_request: Request) -> Response:
        return Response(content, headers=HEADERS, media_type=media_type)

    app.add_route(path.removesuffix("index.html"), serve, include_in_schema=False)


def _products(till: Till) -> list[dict[str, Any]] | None:
    """The store's own buttons, if somebody put them beside the ledger."""
    try:
        found = json.loads((till.settings.data_dir / _PRODUCTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) else None
