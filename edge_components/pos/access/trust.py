"""`/trust`: how a device on the shop's network comes to trust the till: certificate and QR code."""

from __future__ import annotations

from html import escape
from importlib import resources

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ..answers import error
from ..page import HEADERS, qr
from ..routes.context import Context
from .access import Access

REQUESTS: tuple[type[BaseModel], ...] = ()
_OFF = "The listener for the shop's network is off on this till (lan_host)."


def router(context: Context) -> APIRouter:
    access = context.access
    calls = APIRouter(include_in_schema=False)
    folder = resources.files(__package__)
    template = (folder / "trust.html").read_text(encoding="utf-8")
    style = (folder / "trust.css").read_bytes()

    @calls.get("/trust")
    async def page() -> Response:
        if not _ready(access):
            return Response(_OFF, 404, HEADERS, "text/plain; charset=utf-8")
        shown = template.replace("@URL@", escape(access.lan_url() or "")).replace(
            "@FINGERPRINT@", escape(access.authority.fingerprint())
        )
        return Response(shown, 200, HEADERS, "text/html; charset=utf-8")

    @calls.get("/trust.css")
    async def stylesheet() -> Response:
        return Response(style, 200, HEADERS, "text/css; charset=utf-8")

    @calls.get("/trust/qr.svg")
    async def code() -> Response:
        if not _ready(access):
            return error(404, "lan_off", _OFF)
        content = qr.svg(f"{access.lan_url()}/trust", scale=8)
        return Response(content, 200, HEADERS, "image/svg+xml")

    @calls.get("/trust/ca.crt")
    async def certificate() -> Response:
        if not _ready(access):
            return error(404, "lan_off", _OFF)
        headers = {**HEADERS, "Content-Disposition": 'attachment; filename="greentill-ca.crt"'}
        content = access.authority.certificate.read_bytes()
        return Response(content, 200, headers, "application/x-x509-ca-cert")

    return calls


def _ready(access: Access) -> bool:
    return access.lan_url() is not None and access.authority.certificate.exists()
