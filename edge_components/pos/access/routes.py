"""The calls for pairing terminals and signing in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from .. import answers
from ..model import Name, UninterpretableError, interpret
from ..routes import bodies
from ..routes.context import Context
from . import gate
from .errors import AccessRefusedError
from .terminals import CODE_SECONDS

_LARGEST_BODY = 4_096
_REFUSED: dict[int | str, dict[str, Any]] = {
    403: {"model": answers.ErrorAnswer, "description": "not let in"},
    429: {"model": answers.ErrorAnswer, "description": "too many wrong attempts; Retry-After says how long"},
}


class Pairing(BaseModel):
    """A code that the till showed, and the terminal that the device becomes."""

    model_config = ConfigDict(strict=True)
    code: Annotated[str, Field(min_length=1, max_length=16)]
    terminal: Name


class SignInRequest(BaseModel):
    model_config = ConfigDict(strict=True)
    cashier: Name
    pin: Annotated[str, Field(min_length=1, max_length=64)]


class CodeAnswer(BaseModel):
    """`expires_in` is in seconds; `url` is where the device opens the till, null without the listener."""

    code: str
    expires_in: int
    url: str | None


class TokenAnswer(BaseModel):
    token: str
    terminal: str


class CashierAnswer(BaseModel):
    cashier: str
    name: str
    role: str


class TerminalAnswer(BaseModel):
    terminal: str
    paired_at: str


class TerminalsAnswer(BaseModel):
    terminals: list[TerminalAnswer]


REQUESTS: tuple[type[BaseModel], ...] = (Pairing, SignInRequest)


def router(context: Context) -> APIRouter:
    calls = APIRouter(route_class=context.route_class)
    _add_terminals(calls, context)
    _add_pairing(calls, context)
    _add_sign_in(calls, context)
    return calls


def _add_terminals(calls: APIRouter, context: Context) -> None:
    access = context.access

    @calls.post(
        "/v1/terminals/codes",
        status_code=201,
        response_model=CodeAnswer,
        responses={403: _REFUSED[403]},
        summary="A code to pair one terminal with, within five minutes; on the till itself only",
    )
    async def make_code(request: Request) -> Response:
        if not gate.on_till(request):
            return _only_here()
        answer = {"code": access.codes.make(), "expires_in": int(CODE_SECONDS), "url": access.lan_url()}
        return answers.json_answer(answer, 201, {"Cache-Control": "no-store"})

    @calls.get(
        "/v1/terminals",
        response_model=TerminalsAnswer,
        responses={403: _REFUSED[403]},
        summary="Which terminals are paired; on the till itself only",
    )
    async def list_terminals(request: Request) -> Response:
        if not gate.on_till(request):
            return _only_here()
        listed = access.terminals.listed().items()
        return answers.json_answer(
            {"terminals": [{"terminal": name, "paired_at": since} for name, since in listed]}
        )

    @calls.delete(
        "/v1/terminals/{terminal}",
        status_code=204,
        responses={403: _REFUSED[403], 404: {"model": answers.ErrorAnswer, "description": "not paired"}},
        summary="Take a terminal's token away; on the till itself only",
    )
    async def revoke(terminal: str, request: Request) -> Response:
        if not gate.on_till(request):
            return _only_here()
        if not access.terminals.revoke(terminal):
            return answers.error(404, "terminal_not_paired", f"{terminal} is not paired")
        return Response(status_code=204)


def _add_pairing(calls: APIRouter, context: Context) -> None:
    access, till = context.access, context.till

    @calls.post(
        "/v1/terminals/pair",
        status_code=201,
        response_model=TokenAnswer,
        responses={**bodies.COMMON, **_REFUSED},
        openapi_extra=bodies.takes(Pairing),
        summary="Exchange a code for a terminal's token; an earlier token of that terminal ends",
    )
    async def pair(request: Request) -> Response:
        body = await bodies.read(request, _LARGEST_BODY)
        assignment, _ = till.ready()
        try:
            asked = interpret(Pairing, body)
            if asked.terminal not in assignment.terminals:
                text = f"{asked.terminal} is not a terminal of this till"
                return answers.error(403, "terminal_unknown", text)
            access.codes.use(asked.code, request.client.host if request.client else "")
        except UninterpretableError as error:
            return answers.error(422, "not_interpretable", str(error), error.reasons)
        except AccessRefusedError as error:
            return _refused(error)
        token = access.terminals.pair(asked.terminal)
        answer = {"token": token, "terminal": asked.terminal}
        return answers.json_answer(answer, 201, {"Cache-Control": "no-store"})


def _add_sign_in(calls: APIRouter, context: Context) -> None:
    access = context.access

    @calls.post(
        "/v1/cashiers/sign-in",
        response_model=CashierAnswer,
        responses={**bodies.COMMON, **_REFUSED},
        openapi_extra=bodies.takes(SignInRequest),
        summary="Who a PIN belongs to; a supervisor's approves refunds for five minutes",
    )
    async def sign_in(request: Request) -> Response:
        body = await bodies.read(request, _LARGEST_BODY)
        try:
            asked = interpret(SignInRequest, body)
            found = await access.sign_in.sign_in(
                asked.cashier, asked.pin, gate.terminal_of(request) or "loopback"
            )
        except UninterpretableError as error:
            return answers.error(422, "not_interpretable", str(error), error.reasons)
        except AccessRefusedError as error:
            return _refused(error)
        return answers.json_answer({"cashier": found.cashier, "name": found.name, "role": found.role})


def _only_here() -> Response:
    return answers.error(403, "only_on_the_till", "this can be done on the till itself only")


def _refused(error: AccessRefusedError) -> Response:
    answer = answers.error(error.status, error.code, error.message)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer
