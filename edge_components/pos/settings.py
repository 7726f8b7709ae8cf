"""What can be configured; edgekit.config fills it from Greengrass or a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_components.edgekit.config import limits

from .printing.settings import PrinterSettings
from .validation.settings import RuleSettings

# What only a start can change: where the till listens and keeps its files, and the ballast that it lays down.
AT_START = ("host", "port", "data_dir", "machine_id_path", "ballast_bytes")


@dataclass(frozen=True)
class Settings:
    """Sizes are in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: int = limits(8080, minimum=1, maximum=65535)
    data_dir: Path = Path("/var/lib/greentill")
    # Tax code to rate, such as {"A": "0.0825"}. Without it records say nothing about tax.
    tax_rates: dict[str, str] = field(default_factory=dict)
    rules: RuleSettings = field(default_factory=RuleSettings)
    # {"host", "port"} or {"device"}; without either the till has no printer.
    printer: PrinterSettings = field(default_factory=PrinterSettings)
    # What the shop's scales print, such as "21IIIIIPPPPPC"; see `barcodes`.
    barcode_patterns: tuple[str, ...] = ()
    # A record must stay below DynamoDB's 400 KB for an item; its body repeats what was sent, with defaults.
    max_body_bytes: int = limits(262_144, minimum=4_096, maximum=300_000)
    reserve_bytes: int = limits(33_554_432, minimum=0)
    # Given up first when the disk is nearly full, so that there is time to act before selling stops.
    ballast_bytes: int = limits(67_108_864, minimum=0)
    queue_limit: int = limits(2_000, minimum=1, maximum=100_000)
    assignment_poll_seconds: float = limits(1.0, minimum=0.05, maximum=60)
    machine_id_path: Path = Path("/etc/machine-id")
    # An update of components waits until nothing was rung up for this long; 0 lets it go on at once.
    quiet_seconds: float = limits(15.0, minimum=0, maximum=600)
    # When updates may come, as in `opening_hours`: {"daily": "02:00-05:00"}; empty for any hour.
    update_window: dict[str, str] = field(default_factory=dict)
    # Updates wait for open baskets only, whatever the window says.
    urgent_updates: bool = False
    # Terminals on the shop's network, over TLS: off while there is no host. Names go into the certificate.
    lan_host: str = ""
    lan_port: int = limits(8443, minimum=1, maximum=65535)
    lan_names: tuple[str, ...] = ()
    # Cashier to {"name", "role", "pin_hash"}; `python -m edge_components.pos.access C1 --print` makes one.
    cashiers: dict[str, dict[str, str]] = field(default_factory=dict)

    # What a refund may come to in minor units when its sale is not in this ledger; a supervisor allows it.
    refund_limit: int = limits(10_000, minimum=0)
    # Records older than this that every consumer has passed are dropped. 0 keeps everything.
    retention_days: int = limits(400, minimum=0, maximum=36_500)
    retention_check_seconds: float = limits(3_600.0, minimum=0.05)
    retention_consumers: tuple[str, ...] = ("sync", "aggregator")

    @property
    def ledger_path(self) -> Path:
        return self.data_dir / "ledger.db"

    @property
    def assignment_path(self) -> Path:
        return self.data_dir / "assignment.json"

    @property
    def cursors_path(self) -> Path:
        return self.data_dir / "cursors"

    @property
    def catalogue_path(self) -> Path:
        return self.data_dir / "catalogue"

    @property
    def cursor_path(self) -> Path:
        return self.cursors_path / "sync.json"

    @property
    def table_cursor_path(self) -> Path:
        return self.data_dir / "table_cursor.json"

    @property
    def cloud_heads_path(self) -> Path:
        return self.data_dir / "cloud_heads.json"


def followed(now: Settings, wanted: Settings) -> Settings:
    """What a running till takes of changed settings."""
    return replace(wanted, **{name: getattr(now, name) for name in AT_START})
