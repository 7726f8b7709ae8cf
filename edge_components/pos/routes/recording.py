"""How every call that records something goes: read, interpret, commit, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from .. import answers
from ..assignment import Assignment
from ..entries import Entry, EntryRefusedError
from ..model import UninterpretableError, interpret
from . import bodies
from .context import Context

M = TypeVar("M", bound=BaseModel)
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": answers.Receipt, "description": "this was recorded before"},
    409: {"model": answers.ErrorAnswer, "description": "the id is taken, or the ledger says no"},
    **bodies.COMMON,
}


async def record(
    context: Context, request: Request, kind: type[M], prepare: Callable[[M, Assignment], Entry]
) -> Response:
    """Record a body of this kind once: 201, 200 for a repeat, 409 for other content under the same id."""
    till = context.till
    body = await bodies.read(request, till.settings.max_body_bytes)
    context.nucleus.busy()
    assignment, _ = till.ready()
    try:
        entry = prepare(interpret(kind, body), assignment)
    except UninterpretableError as error:
        await till.reject(bodies.rejection(body, error))
        return answers.error(422, "not_interpretable", str(error), error.reasons)
    try:
        outcome = await till.record(entry)
    except EntryRefusedError as error:
        return answers.error(error.status, error.code, error.message, error.reasons)
    if outcome.kind == "conflict":
        text = f"{entry.sale_id} is recorded as receipt {outcome.record['receipt_no']} with other content"
        return answers.error(409, "sale_id_taken", text)
    return answers.receipt(outcome.record, 201 if outcome.kind == "new" else 200)
