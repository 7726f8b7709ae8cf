"""The till's HTTP calls, one small module for each part of them.

To add calls, write a module here (or name one that lies elsewhere in `pos`) that offers

    REQUESTS: tuple[type[BaseModel], ...]   the bodies that its calls take, for OpenAPI; may be empty
    def router(context: Context) -> APIRouter

and name it in PARTS below. The router is an `APIRouter(route_class=context.route_class)`; what its calls
need of the till is in the Context. Bodies are read with `bodies.read`, answers are made with `answers` and
returned as a Response; whatever raises NotSellingError becomes a 503.
"""

from __future__ import annotations

from typing import Protocol

from fastapi import APIRouter
from pydantic import BaseModel

from ..access import routes as access
from ..access import trust
from ..catalogue import routes as catalogue
from ..page import receipt_code
from . import drawer, reading, receipts, reversing, selling
from .context import Context


class Part(Protocol):
    """What a module named in PARTS offers."""

    REQUESTS: tuple[type[BaseModel], ...]

    def router(self, context: Context) -> APIRouter: ...


PARTS: tuple[Part, ...] = (
    selling,
    reversing,
    drawer,
    receipts,
    reading,
    catalogue,
    access,
    trust,
    receipt_code,
)

__all__ = ["PARTS", "Context", "Part"]
