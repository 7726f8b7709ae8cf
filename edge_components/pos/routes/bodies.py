"""Reading what a terminal sent, within bounds, and telling OpenAPI what that may be."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from .. import answers
from ..ledger import Rejection
from ..model import UninterpretableError

UNAVAILABLE: dict[str, Any] = {
    "model": answers.ErrorAnswer,
    "description": "cannot be taken now; try the same till again",
}
COMMON: dict[int | str, dict[str, Any]] = {
    413: {"model": answers.ErrorAnswer, "description": "the body is larger than the till takes"},
    415: {"model": answers.ErrorAnswer, "description": "the body is not sent as application/json"},
    422: {"model": answers.ErrorAnswer, "description": "not interpretable; every reason is listed"},
    503: UNAVAILABLE,
}


class RefusedBodyError(Exception):
    """A body that is not read; carries the answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


async def read(request: Request, limit: int) -> bytes:
    """The body of a JSON request of at most `limit` bytes; raises RefusedBodyError."""
    # A browser sends other types across origins without asking first: anybody's page could ring up sales.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedBodyError(answers.error(415, "not_json", "send the body as application/json"))
    parts = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                text = f"the body is larger than {limit} bytes"
                raise RefusedBodyError(answers.error(413, "too_large", text))
            parts.append(part)
    except ClientDisconnect as error:  # an error that is not ours: a thousand would fill the log
        raise RefusedBodyError(answers.error(400, "cut_off", "the request was cut off")) from error
    return b"".join(parts)


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a call whose body is read by hand; name the model in the module's REQUESTS too."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def rejection(body: bytes, error: UninterpretableError) -> Rejection:
    """What is recorded of a body that could not be interpreted."""
    reasons = tuple({"code": reason.code, "path": reason.path} for reason in error.reasons)
    return Rejection(hashlib.sha256(body).hexdigest(), len(body), reasons)
