"""What is still to deliver and what both sinks have, per epoch: a clock can step back between epochs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import Head, LedgerReader
from edge_components.sync.state import State

SINKS = ("dynamodb", "s3")


def next_epoch(heads: Sequence[Head], state: State, sink: str) -> Head | None:
    """The head of the oldest epoch that `sink` hasn't delivered whole."""
    return next((head for head in heads if (state.watermark(sink, head.epoch) or 0) < head.seq), None)


def delivered(heads: Sequence[Head], state: State) -> tuple[str, int] | None:
    """The last record, in ledger order, up to which every sink has everything; None before the first."""
    passed = None
    for head in heads:
        seq = min(state.watermark(sink, head.epoch) or 0 for sink in SINKS)
        if seq:
            passed = (head.epoch, min(seq, head.seq))
        if seq < head.seq:
            break
    return passed


class Cursor:
    """Publishes how far both sinks have got, for retention; the file is whole or not there."""

    def __init__(self, path: Path, ledger: LedgerReader, state: State) -> None:
        self._path = path
        self._ledger = ledger
        self._state = state
        self._published: tuple[str, int] | None = None

    def publish(self) -> None:
        """Write the cursor when it has moved. Raises LedgerUnavailableError, OSError."""
        passed = self.passed()
        if passed is None or passed == self._published:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        epoch, seq = passed
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        write_json(self._path, {"epoch": epoch, "seq": seq, "time": time})
        self._published = passed

    def passed(self) -> tuple[str, int] | None:
        """The last record, in ledger order, up to which both sinks have everything; None before the first."""
        return delivered(self._ledger.heads(), self._state)
