"""A restored card image repeats numbers that the cloud has seen: then a new epoch begins."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from .ledger import Ledger

_log = logging.getLogger("pos.ledger")


@dataclass(frozen=True, slots=True)
class CloudHead:
    """The highest record that the cloud has of this till, as sync heard it."""

    epoch: str
    seq: int
    hash: str


class CloudHeadFile:
    """Notices when sync has written `cloud_heads.json` anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> CloudHead | None:
        """The head if the file is new since the last call and holds one."""
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version == self._seen:
                return None
            self._seen = version
            found = json.loads(self._path.read_text(encoding="utf-8"))
            int(found["epoch"], 16)
            return CloudHead(str(found["epoch"]), int(found["seq"]), str(found["hash"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("%s cannot be read: %r", self._path, error)
            return None


def follow(ledger: Ledger, head: CloudHead) -> bool:
    """Open a new epoch if the cloud is ahead of this ledger; in the writer's transaction."""
    if not _ahead(ledger, head):
        return False
    _log.error("the cloud has epoch %s seq %d, which is not in this ledger", head.epoch, head.seq)
    ledger.open_epoch("cloud_ahead", asdict(head), max(head.epoch, ledger.position.epoch))
    return True


def _ahead(ledger: Ledger, head: CloudHead) -> bool:
    """Beyond this ledger's end, or at a place where this ledger says something else."""
    position = ledger.position
    if (head.epoch, head.seq) > (position.epoch, position.seq):
        return True
    row = ledger.connection.execute(
        "SELECT hash FROM records WHERE epoch = ? AND seq = ?", (head.epoch, head.seq)
    ).fetchone()
    return head.epoch == position.epoch and row is not None and row[0] != head.hash
