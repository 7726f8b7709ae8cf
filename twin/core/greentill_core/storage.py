"""Files that survive a power cut: written beside, synced, renamed, and the folder synced too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .errors import CoreError


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace the file atomically; it has `mode` from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def write_json(path: Path, value: Any, mode: int = 0o600) -> None:
    """As `write`, for a JSON value."""
    write(path, json.dumps(value, indent=1, sort_keys=True).encode(), mode)


def read_json(path: Path, default: Any) -> Any:
    """The file's value, `default` when there is no file; raises CoreError when it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        raise CoreError(f"{path} can't be read: {error}") from error


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
