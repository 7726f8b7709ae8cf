"""The till over HTTP: one application of the parts in `routes`, and the till page."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from . import VERSION, answers, page
from .access import Access
from .errors import NotSellingError
from .nucleus import Nucleus
from .printing import Printer
from .routes import PARTS, Context
from .routes.bodies import RefusedBodyError
from .settings import Settings
from .till import Till
from .upkeep import Upkeep
from .validation.live import LiveRules


def create(till: Till, nucleus: Nucleus) -> FastAPI:
    """The application; it opens the ledger when it starts and closes it when it ends."""

    access = Access(till.settings)

    def follow(settings: Settings) -> None:
        till.use(settings)
        access.use(settings)
        nucleus.updates.use(settings)

    rules = LiveRules(till.settings, follow)
    printer = Printer()
    nucleus.follow_configuration(rules.take)
    nucleus.updates.local = till.local_time

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nucleus.start()
        access.start(app)
        watches = [
            asyncio.create_task(till.watch_assignment()),
            asyncio.create_task(rules.follow_file(os.environ)),
            asyncio.create_task(Upkeep(till).run()),
        ]
        try:
            yield
        finally:
            await access.stop()
            printer.close()
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            await asyncio.to_thread(till.close)
            nucleus.stop()

    app = FastAPI(title="Greentill till", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(NotSellingError, _not_selling)
    app.add_exception_handler(RefusedBodyError, _refused_body)
    context = Context(till, nucleus, access, rules, printer)
    _add_calls(app, context)
    _describe_when_asked(app, context)
    return app


def _add_calls(app: FastAPI, context: Context) -> None:
    for part in PARTS:
        app.include_router(part.router(context))
    page.add_routes(app, context)


async def _not_selling(_request: Request, error: Exception) -> Response:
    if not isinstance(error, NotSellingError):
        raise error
    return answers.not_selling(error)


async def _refused_body(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedBodyError):
        raise error
    return error.answer


def _describe_when_asked(app: FastAPI, context: Context) -> None:
    """OpenAPI, made once somebody wants it: the same calls again, with the models of what they answer.

    Bodies are read by hand, to reject and record them; it tells what they are all the same.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = FastAPI(title=app.title, version=app.version)
            _add_calls(described, replace(context, route_class=APIRoute))
            app.openapi_schema = described.openapi()
            models = [model for part in PARTS for model in part.REQUESTS]
            _, found = models_json_schema(
                [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
            )
            schemas = app.openapi_schema.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(found["$defs"])
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
