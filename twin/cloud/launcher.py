"""Runs inside the cloud's own virtual environment: extend the emulator in process, then serve."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app as emulator
from ministack.services import iot

from twin.cloud import analytics, broker, cloudformation, iam, metrics, pins, queries, settings, storage
from twin.cloud.greengrass.components import Components
from twin.cloud.greengrass.dataplane import DataPlane
from twin.cloud.greengrass.deployments import Deployments
from twin.cloud.greengrass.devices import CoreDevices
from twin.cloud.greengrass.jobs import NamespacedJobs
from twin.cloud.greengrass.service import Greengrass
from twin.cloud.iot import certificates as certificate_dates
from twin.cloud.iot import handler, keep_alive, mqtt, policy, provisioning, rules
from twin.cloud.iot.credentials import CredentialsEndpoint
from twin.cloud.iot.https import HttpsListener
from twin.cloud.iot.role_alias import RoleAliases
from twin.cloud.settings import Settings

Application = Callable[[Any, Any, Any], Awaitable[None]]


def main() -> None:
    """Check the emulator, install what it lacks, serve until a signal ends it."""
    sys.argv = ["twin-cloud"]
    configuration = settings.load()
    pins.check()
    listener = extend(configuration)
    # The emulator would take port 443 as well when it may.
    emulator._port_is_bindable = lambda _host, _port: False
    emulator.app = _with_readiness(emulator.app, listener)
    emulator.main()


def extend(configuration: Settings) -> HttpsListener:
    """Wire the extensions together; each one says what it changes. Returns the listener to wait for."""
    iam.install(configuration)
    storage.install(configuration)
    queries.install()
    analytics.install()
    metrics.install(configuration)
    role_aliases = RoleAliases(configuration)
    components = Components(configuration)
    deployments = Deployments(configuration, components)
    devices = CoreDevices(configuration, deployments)
    greengrass = Greengrass(configuration, components, deployments, devices)
    jobs = NamespacedJobs(configuration)
    jobs.install()
    broker.install(jobs, devices)
    mqtt.install(configuration)
    keep_alive.install()
    handler.install_endpoints()
    emulator.SERVICE_HANDLERS["greengrass"] = greengrass.handle
    emulator.SERVICE_HANDLERS["iot"] = handler.wrap(emulator.SERVICE_HANDLERS["iot"], role_aliases)
    cloudformation.install(role_aliases, greengrass)
    certificates = policy.Certificates(configuration)
    credentials = CredentialsEndpoint(configuration, role_aliases, certificates)
    data_plane = DataPlane(configuration, certificates, credentials, components, deployments)
    policy.install_connection_variables()
    certificate_dates.install()
    provisioning.install()
    rules.install()
    listener = HttpsListener(configuration, certificates, data_plane.respond)
    listener.install()
    return listener


def _with_readiness(application: Application, listener: HttpsListener) -> Application:
    """Answer /_twin/ready with 200 once every listener is up; everything else goes on."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/_twin/ready":
            await application(scope, receive, send)
            return
        status = 200 if iot.mtls_is_listening() and listener.listening else 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return serve
