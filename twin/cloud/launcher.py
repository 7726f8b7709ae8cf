"""Runs inside the cloud's own virtual environment: extend the emulator in process, then serve."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app as emulator

from twin.cloud import pins, settings
from twin.cloud.iot import mqtt

Application = Callable[[Any, Any, Any], Awaitable[None]]


def main() -> None:
    """Check the emulator, install what it lacks, serve until a signal ends it."""
    sys.argv = ["twin-cloud"]
    configuration = settings.load()
    pins.check()
    mqtt.install(configuration)
    # The emulator would take port 443 as well when it may.
    emulator._port_is_bindable = lambda _host, _port: False
    emulator.app = _with_readiness(emulator.app)
    emulator.main()


def _with_readiness(application: Application) -> Application:
    """Answer /_twin/ready with 200 once every listener is up; everything else goes on."""
    from ministack.services import iot  # noqa: PLC0415 - the emulator's services load late

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/_twin/ready":
            await application(scope, receive, send)
            return
        status = 200 if iot.mtls_is_listening() else 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return serve
