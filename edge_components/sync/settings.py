"""What sync is told: names in the cloud, pace, patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edge_components.edgekit.config import limits


class SettingsError(Exception):
    """Something is missing without which nothing can be delivered."""


@dataclass(frozen=True)
class Settings:
    """Times in seconds, bandwidth in kilobits a second (0: as the link gives).

    `thing` and `region` come from the nucleus unless they are configured.
    """

    sales_table: str = ""
    sales_bucket: str = ""
    registry_table: str = ""
    rollups_table: str = ""  # without it, sums stay on the till
    artifact_bucket: str = ""  # without it, no catalogue is fetched
    thing: str = ""
    region: str = ""
    data_dir: Path = Path("/var/lib/greentill")
    segment_records: int = limits(500, minimum=1, maximum=5_000)
    segment_seconds: float = limits(300.0, minimum=0.1, maximum=86_400)
    retry_base_seconds: float = limits(0.5, minimum=0.01, maximum=60)
    retry_cap_seconds: float = limits(30.0, minimum=0.1, maximum=3_600)
    poll_seconds: float = limits(1.0, minimum=0.05, maximum=10)  # the page takes 30 s for an outage
    assignment_seconds: float = limits(300.0, minimum=0.1, maximum=86_400)
    heads_seconds: float = limits(300.0, minimum=0.1, maximum=86_400)
    rollups_seconds: float = limits(60.0, minimum=0.1, maximum=86_400)
    catalogue_seconds: float = limits(300.0, minimum=0.1, maximum=86_400)
    configuration_seconds: float = limits(30.0, minimum=0.1, maximum=3_600)
    connect_timeout_seconds: float = limits(5.0, minimum=0.1, maximum=60)
    read_timeout_seconds: float = limits(30.0, minimum=0.1, maximum=120)
    most_writers: int = limits(4, minimum=1, maximum=16)
    outbox_seconds: float = limits(60.0, minimum=0.1, maximum=86_400)
    head_seconds: float = limits(1.0, minimum=0.0, maximum=86_400)
    report_seconds: float = limits(60.0, minimum=0.1, maximum=86_400)
    bandwidth_kilobits: float = limits(0.0, minimum=0, maximum=1_000_000)
    data_saver: bool = False

    @property
    def ledger(self) -> Path:
        return self.data_dir / "ledger.db"

    @property
    def database(self) -> Path:
        return self.data_dir / "sync.db"

    @property
    def refused(self) -> Path:
        return self.data_dir / "refused"

    @property
    def cursor(self) -> Path:
        return self.data_dir / "cursors" / "sync.json"

    @property
    def table_cursor(self) -> Path:
        return self.data_dir / "table_cursor.json"

    @property
    def cloud_heads(self) -> Path:
        return self.data_dir / "cloud_heads.json"

    @property
    def assignment(self) -> Path:
        return self.data_dir / "assignment.json"

    @property
    def rollups(self) -> Path:
        return self.data_dir / "rollups.db"

    @property
    def outbox(self) -> Path:
        return self.data_dir / "outbox"

    @property
    def catalogue(self) -> Path:
        return self.data_dir / "catalogue"


def complete(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Fill in what the nucleus says of the till. Raises SettingsError naming what is missing."""
    filled = replace(
        settings,
        thing=settings.thing or environment.get("AWS_IOT_THING_NAME", ""),
        region=settings.region or environment.get("AWS_REGION", ""),
    )
    needed = ("sales_table", "sales_bucket", "registry_table", "thing", "region")
    if missing := [name for name in needed if not getattr(filled, name)]:
        raise SettingsError(f"The configuration lacks {', '.join(missing)}.")
    return saving(filled) if filled.data_saver else filled


def saving(settings: Settings) -> Settings:
    """Settings for a link that is paid by the byte: segments larger, heads and look-ups rarer.

    Sales go to the table as before: a sparing till must not look like one without a line. What is
    configured more sparingly still stays as it is.
    """
    return replace(
        settings,
        segment_records=max(settings.segment_records, 2_000),
        segment_seconds=max(settings.segment_seconds, 3_600.0),
        head_seconds=max(settings.head_seconds, 900.0),
        heads_seconds=max(settings.heads_seconds, 86_400.0),
        report_seconds=max(settings.report_seconds, 900.0),
        assignment_seconds=max(settings.assignment_seconds, 3_600.0),
        rollups_seconds=max(settings.rollups_seconds, 3_600.0),
        outbox_seconds=max(settings.outbox_seconds, 3_600.0),
        catalogue_seconds=max(settings.catalogue_seconds, 3_600.0),
    )
