"""What can be configured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_components.edgekit.config import limits


@dataclass(frozen=True)
class Settings:
    """Times in seconds. A changed configuration counts from the next start."""

    data_dir: Path = Path("/var/lib/greentill")
    helper_dir: Path = Path("/run/greentill")
    # A message that says what is wanted may be lost while the till is offline, so it asks as well.
    ask_seconds: float = limits(900.0, minimum=1, maximum=86_400)
    # How soon it asks again while a rotation is under way.
    busy_seconds: float = limits(20.0, minimum=0.2, maximum=3600)
    # The helper tries credentials over the network before it swaps.
    helper_seconds: float = limits(300.0, minimum=1, maximum=3600)

    @property
    def memory(self) -> Path:
        return self.data_dir / "rotation.json"
