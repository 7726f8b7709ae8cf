"""Looks at a ledger as a till does beside selling: `python -m tests.pos.looking PATH`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from edge_components.edgekit.backoff import Backoff
from edge_components.pos.checking import BackgroundCheck
from edge_components.pos.errors import DamagedLedgerError


def _found(error: DamagedLedgerError) -> None:
    logging.getLogger().error("damaged: %s", error)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    often = Backoff(base=0.05, cap=0.05)
    check = BackgroundCheck(Path(sys.argv[1]), _found, backoff=often, busy_milliseconds=50)
    check.start()
    check.join()
