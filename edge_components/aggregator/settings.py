"""What can be configured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_components.edgekit.config import limits


@dataclass(frozen=True)
class Settings:
    """Times in seconds. A changed configuration counts from the next start."""

    data_dir: Path = Path("/var/lib/greentill")
    # Sales of this long become one write to the card.
    poll_seconds: float = limits(2.0, minimum=0.05, maximum=300)

    @property
    def ledger(self) -> Path:
        return self.data_dir / "ledger.db"

    @property
    def database(self) -> Path:
        return self.data_dir / "rollups.db"

    @property
    def cursor(self) -> Path:
        return self.data_dir / "cursors" / "aggregator.json"
