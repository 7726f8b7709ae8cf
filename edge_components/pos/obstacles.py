"""What lies where the ledger's files and its lock belong and is none: a folder that sudo made, a socket.

It can hold no sale, and keeps SQLite from its place. It is given another name in the same folder, never
deleted: what belongs to root can't be moved elsewhere by ggc_user, but may be renamed there.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import sync_directory

from .errors import NotSellingError

PARTS = ("", "-wal", "-shm", "-journal", ".damaged", ".setting-aside", ".being-made")
_log = logging.getLogger("pos.ledger")


def clear(path: Path) -> bool:
    """Rename what is no file; returns whether the ledger's own place was taken.

    Raises NotSellingError, which says what to do, where even that is not allowed.
    """
    taken = [part for part in PARTS if clear_place(path.with_name(path.name + part))]
    return "" in taken


def clear_place(path: Path) -> bool:
    """Do so for one path; returns whether it was taken. Raises NotSellingError."""
    if not path.exists() or path.is_file():
        return False
    kept = path.with_name(f"{path.name}.no-file-{datetime.now(UTC):%Y%m%dT%H%M%S}-{time.monotonic_ns()}")
    try:
        path.rename(kept)
        sync_directory(path.parent)
    except OSError as error:
        text = f"{path} is no file, and can't be renamed ({error.strerror}): as root, move it out of the way"
        raise NotSellingError("ledger_closed", text) from error
    _log.error("%s is no file: it is now %s", path, kept.name)
    return True
