"""Records that the cloud would not take for their content: kept on the till, and said aloud."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import atomic_write, write_json
from edge_components.edgekit.ledger import Row
from edge_components.sync.state import FixedSegment

log = logging.getLogger("sync")


def keep(folder: Path, sink: str, row: Row, reason: str) -> None:
    """Put a record aside with the reason; it blocks nothing, and stays in the ledger as well."""
    folder.mkdir(parents=True, exist_ok=True)
    hash8 = "".join(letter for letter in row.hash[:8] if letter.isalnum())  # a card may have changed it
    name = f"{row.epoch}-{row.seq:012d}-{hash8}.json"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    write_json(folder / name, {"sink": sink, "reason": reason, "time": now, "record": row.record})
    log.critical("ALARM %s refused epoch %s seq %d for its content: %s", sink, row.epoch, row.seq, reason)


def keep_segment(folder: Path, segment: FixedSegment, reason: str) -> None:
    """Put aside a segment whose key holds other content in the bucket: nothing there is overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / segment.key.rpartition("/")[2], segment.body)
    log.critical("ALARM s3 refused the segment %s: %s", segment.key, reason)
