"""One log file per component and `greengrass.log`, as classic keeps them."""

from __future__ import annotations

import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES = 1024 * 1024
_KEPT = 9  # files beside the newest: 10 MB in all, the nucleus's default
_FORMAT = "%(asctime)s.%(msecs)03dZ [%(levelname)s] %(name)s: %(message)s"


def of_core(folder: Path) -> logging.Logger:
    """The core's own log, also on standard error for the unit's journal."""
    log = _open("greentill-core", folder / "greengrass.log")
    if not any(type(handler) is logging.StreamHandler for handler in log.handlers):
        stream = logging.StreamHandler()
        stream.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
        log.addHandler(stream)
    return log


def of_state(log: logging.Logger, component: str, state: str) -> None:
    """A change of state in classic's words, which people and tools look for."""
    log.info("service-set-state. {serviceName=%s, newState=%s}", component, state)


def of_component(folder: Path, name: str) -> logging.Logger:
    """The log of a component, in a file of its own."""
    return _open(f"component.{folder}.{name}", folder / f"{name}.log")


def _open(name: str, path: Path) -> logging.Logger:
    path.parent.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger(name)
    log.propagate = False
    log.setLevel(logging.INFO)
    files = [handler for handler in log.handlers if isinstance(handler, RotatingFileHandler)]
    if any(Path(handler.baseFilename) == path for handler in files):
        return log
    for handler in files:
        log.removeHandler(handler)
        handler.close()
    handler = RotatingFileHandler(path, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8")
    formatter = logging.Formatter(_FORMAT.replace("%(name)s", path.stem), "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log.addHandler(handler)
    return log
