"""A restored card image repeats numbers that the cloud has seen: then a new epoch begins."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import apsw

from .epochs import is_place
from .ledger import Ledger

# The first records of the epochs above one: an index look-up for each, however long they are.
_OPENINGS = """
WITH RECURSIVE later(epoch) AS (
    SELECT (SELECT min(epoch) FROM records WHERE epoch > ?)
    UNION ALL
    SELECT (SELECT min(epoch) FROM records WHERE epoch > later.epoch) FROM later WHERE later.epoch IS NOT NULL
)
SELECT r.record FROM later JOIN records AS r ON r.epoch = later.epoch AND r.seq = 1
"""
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
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read: %r", self._path, error)
            return None
        if not is_place(found):
            _log.warning("%s names no record that a till can have", self._path)
            return None
        return CloudHead(found["epoch"], found["seq"], found["hash"])

    def again(self) -> None:
        """Give the same head once more: nothing came of it."""
        self._seen = None


def follow(ledger: Ledger, head: CloudHead) -> bool:
    """Open a new epoch if the cloud has what this ledger lacks; in the writer's transaction.

    Once for each head: a fork in an epoch that is closed stays one, and its number is not given out again.
    """
    if not _lacks(ledger, head) or _told(ledger.connection, head):
        return False
    _log.error("the cloud has epoch %s seq %d, which is not in this ledger", head.epoch, head.seq)
    ledger.open_epoch("cloud_ahead", asdict(head), max(head.epoch, ledger.position.epoch))
    return True


def _lacks(ledger: Ledger, head: CloudHead) -> bool:
    """Whether the cloud's record is beyond this ledger's end, or another one than here has its number.

    Of an epoch that was never here, such as one of a ledger that was set aside, nothing is missing; of what
    retention dropped nobody can tell.
    """
    position, connection = ledger.position, ledger.connection
    if (head.epoch, head.seq) > (position.epoch, position.seq):
        return True
    row = connection.execute(
        "SELECT hash FROM records WHERE epoch = ? AND seq = ?", (head.epoch, head.seq)
    ).fetchone()
    if row is not None:
        return bool(row[0] != head.hash)
    dropped = connection.execute("SELECT seq, hash FROM dropped WHERE epoch = ?", (head.epoch,)).fetchone()
    if dropped is not None and head.seq <= dropped[0]:
        return bool(head.seq == dropped[0] and head.hash != dropped[1])
    here = connection.execute("SELECT 1 FROM records WHERE epoch = ? LIMIT 1", (head.epoch,)).fetchone()
    return here is not None or dropped is not None


def _told(connection: apsw.Connection, head: CloudHead) -> bool:
    """Whether an epoch was opened for this head already: each begins with the record that says why."""
    openings = connection.execute(_OPENINGS, (head.epoch,))
    return any(
        body["reason"] == "cloud_ahead" and body["previous"] == asdict(head)
        for body in (json.loads(text)["body"] for (text,) in openings)
    )
