"""What is still to deliver and what the sinks have, per epoch: a clock can step back between epochs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import Head, LedgerReader
from edge_components.sync.state import State

SINKS = ("dynamodb", "s3")
TABLE = ("dynamodb",)


def next_epoch(heads: Sequence[Head], state: State, sink: str) -> Head | None:
    """The head of the oldest epoch that `sink` hasn't delivered whole."""
    return next((head for head in heads if (state.watermark(sink, head.epoch) or 0) < head.seq), None)


def delivered(heads: Sequence[Head], state: State, sinks: Sequence[str] = SINKS) -> tuple[str, int] | None:
    """The last record, in ledger order, up to which each of `sinks` has everything; None before the first."""
    passed = None
    for head in heads:
        seq = min(state.watermark(sink, head.epoch) or 0 for sink in sinks)
        if seq:
            passed = (head.epoch, min(seq, head.seq))
        if seq < head.seq:
            break
    return passed


class Cursor:
    """Publishes how far `sinks` have got together; the file is whole or not there.

    It is written at most every `seconds`, since each time costs two syncs of the card; what a call leaves
    out, a later one writes.
    """

    def __init__(
        self,
        path: Path,
        ledger: LedgerReader,
        state: State,
        sinks: Sequence[str] = SINKS,
        *,
        seconds: float = 0.0,
    ) -> None:
        self._path = path
        self._ledger = ledger
        self._state = state
        self._sinks = sinks
        self._seconds = seconds
        self._published: tuple[str, int] | None = None
        self._after = 0.0  # monotonic: when the file may be written again

    def publish(self, *, last: bool = False) -> None:
        """Write the cursor when it has moved; at once if this is the `last` call.

        Raises LedgerUnavailableError, OSError.
        """
        if time.monotonic() < self._after and not last:
            return
        passed = self.passed()
        if passed is None or passed == self._published:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        epoch, seq = passed
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        write_json(self._path, {"epoch": epoch, "seq": seq, "time": now})
        self._published = passed
        self._after = time.monotonic() + self._seconds

    def passed(self) -> tuple[str, int] | None:
        """The last record, in ledger order, up to which the sinks have everything; None before the first."""
        return delivered(self._ledger.heads(), self._state, self._sinks)
