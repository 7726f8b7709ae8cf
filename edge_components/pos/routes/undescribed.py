"""Calls as they are served. What only OpenAPI needs is made when somebody asks for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute


class UndescribedRoute(APIRoute):
    """Leaves the models of answers out: answers are made by hand, and these cost more than all else here.

    At a till's start that is time until the first sale, and memory as long as it runs.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        response_model: Any = None,
        responses: dict[int | str, dict[str, Any]] | None = None,
        **rest: Any,
    ) -> None:
        del response_model, responses
        super().__init__(path, endpoint, response_model=None, responses=None, **rest)
