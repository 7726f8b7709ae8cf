"""Publishes how far everything is counted, so that retention drops nothing before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import write_json


class Cursor:
    """`cursors/aggregator.json`, written when it has moved."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._published: tuple[str, int] | None = None

    def publish(self, passed: tuple[str, int] | None) -> None:
        """Raises OSError when it can't be written; the next call tries again."""
        if passed is None or passed == self._published:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        epoch, seq = passed
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        write_json(self._path, {"epoch": epoch, "seq": seq, "time": time})
        self._published = passed
