"""The till's process: its settings, its server, its end."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any

import uvicorn

from edge_components.edgekit import config, ipc

from .access.slow_clients import BoundedProtocol
from .api import create
from .clock import Clock
from .database import check_library
from .errors import NotSellingError
from .nucleus import Nucleus
from .settings import Settings
from .till import Till
from .updates import Updates

_MOST_FILES = 65_536
_NEW_OBJECTS = 20_000  # containers made before they are looked at: a basket has hundreds, and leaves none
_log = logging.getLogger("pos")


def main() -> None:
    """Serve until SIGTERM, which finishes what is queued and closes the ledger."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
    # uvicorn shuts down on SIGTERM, then raises it again for whoever handled it before: that is a clean end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _allow_files()
    os.umask(0o002)  # the ledger's folder belongs to a group of readers
    settings = _settings()
    try:
        check_library()
    except NotSellingError as error:
        sys.exit(error.message)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    nucleus = Nucleus(os.environ, Updates(settings, Clock().boot_id))
    till = Till(settings, committed=nucleus.committed)
    app = create(till, nucleus)
    _collect_rarely()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=None,
    )


def _collect_rarely() -> None:
    """What is there by now stays: a collection in the middle of a sale need not look at it."""
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
    gc.freeze()
    gc.enable()


def _allow_files() -> None:
    """As many open files as the system allows, within reason: terminals must not run out of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _settings() -> Settings:
    """The configuration, or as much of it as can be had: a till sells with its defaults."""
    loaded = config.build(Settings, _found())
    for problem in loaded.problems:
        _log.warning("configuration: %s", problem)
    return loaded.settings


def _found() -> Mapping[str, Any]:
    try:
        connection = ipc.connect(os.environ)
        try:
            return config.read(connection, os.environ)
        finally:
            if connection is not None:
                connection.close()
    except ipc.IpcError as error:
        _log.warning("the nucleus gives no configuration: %s", error)
    except config.ConfigurationError as error:
        sys.exit(str(error))
    return config.read(None, os.environ)
