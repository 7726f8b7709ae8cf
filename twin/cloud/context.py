"""What every extension of the emulator needs: the account it serves, answers, and its request scope."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ministack.core import responses

from twin.cloud.settings import Settings

Answer = tuple[int, dict[str, str], bytes]
Document = dict[str, Any]


class ApiError(Exception):
    """A refusal as an AWS REST-JSON service words it."""

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.members = members

    def answer(self) -> Answer:
        body = {"__type": self.code, "message": str(self), "Message": str(self), **self.members}
        headers = {"Content-Type": "application/json", "x-amzn-errortype": self.code}
        return self.status, headers, json.dumps(body).encode()


def not_found(message: str, **members: Any) -> ApiError:
    return ApiError("ResourceNotFoundException", message, 404, **members)


def ok(document: Document, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def raise_for(answer: tuple[Any, ...]) -> Document:
    """The document of an emulator's answer; ApiError when it is a refusal."""
    status, _headers, body = answer
    document: Document = json.loads(body) if body else {}
    if status >= 400:
        raise ApiError(document.get("__type", "InternalServerException"), document.get("message", ""), status)
    return document


def scope(settings: Settings) -> AbstractContextManager[None]:
    """Act for the account in the emulator's stores, outside a request."""
    manage: Callable[[str, str], AbstractContextManager[None]] = responses.request_scope
    return manage(settings.account, settings.region)
