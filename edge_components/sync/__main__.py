"""Runs sync: three workers that don't wait for each other, woken by pos, ended by SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from edge_components.edgekit import config
from edge_components.edgekit.ipc import Degraded, Ipc, IpcError, connect
from edge_components.edgekit.priority import background
from edge_components.sync.report import installed_version
from edge_components.sync.service import Service
from edge_components.sync.settings import Settings, SettingsError, complete

log = logging.getLogger("sync")

WAKE_TOPIC = "greentill/ledger/wake"
RESUBSCRIBE_SECONDS = 30.0


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    background()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        ipc = connect(os.environ)
        configured = config.read(ipc, os.environ)
        loaded = config.build(Settings, configured)
        settings = complete(loaded.settings, os.environ)
    except (IpcError, config.ConfigurationError, SettingsError) as error:
        log.critical("sync can't start: %s", error)
        return 1  # the nucleus starts it again
    for problem in loaded.problems:
        log.warning("configuration: %s", problem)
    service = Service(settings, installed_version(os.environ.get("GREENTILL_ARTIFACT", "")))
    service.start()
    _listen(ipc, service, stopping)
    if service.run(stopping, lambda: _configuration(ipc, configured) != configured):
        log.info("starting again: the configuration has changed, or sync.db was damaged")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself
    return 0


def _configuration(ipc: Ipc | None, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """As it is now, or as it was while nobody can say: classic doesn't restart for a change, lite does."""
    try:
        return config.read(ipc, os.environ)
    except (IpcError, config.ConfigurationError) as error:
        log.debug("the configuration can't be read again now: %s", error)
        return known


def _listen(ipc: Ipc | None, service: Service, stopping: threading.Event) -> None:
    """Be woken by pos while IPC works; polling goes on regardless."""
    if ipc is None:
        return
    lost = threading.Event()
    lost.set()
    degraded = Degraded(log)

    def subscribe() -> None:
        while not stopping.is_set():
            if lost.wait(RESUBSCRIBE_SECONDS):
                lost.clear()
                try:
                    ipc.subscribe_local(WAKE_TOPIC, service.wake, lost.set)
                except IpcError as error:
                    degraded.say(f"nothing wakes sync, so it polls: {WAKE_TOPIC}", error)
                    lost.set()
                    stopping.wait(RESUBSCRIBE_SECONDS)

    threading.Thread(target=subscribe, name="wake", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
