"""What has to be known after the nucleus, or the machine, was restarted in the middle of a swap."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_components.edgekit.files import write_json

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap that was asked for. `outcome` is empty until it is known which certificate won."""

    rotation: str
    certificate_id: str
    fingerprint: str
    boot_id: str
    asked_at: float  # epoch seconds
    outcome: str = ""
    reason: str = ""


class Memory:
    """One file, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Swap | None:
        """None when there is nothing, or nothing that can be read: the helper's timer decides then."""
        try:
            return Swap(**json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, swap: Swap) -> None:
        write_json(self._path, asdict(swap))

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


def boot_id() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip()
