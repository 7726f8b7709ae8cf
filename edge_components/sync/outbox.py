"""What other components leave for head office: small files, put into the bucket under the till's own name.

A component writes its file whole (beside, then renamed). A name is a key for good: the same file sent twice
changes nothing. Sales never wait for it, and on a full disk pos gives these files up before it stops selling.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from edge_components.sync.cloud import Cloud
from edge_components.sync.settings import Settings

LARGEST_BYTES = 256 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.json")
log = logging.getLogger("sync")


class Outbox:
    """`step` delivers the oldest file and takes it away once the bucket has it."""

    name = "outbox"

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self._settings = settings
        self._cloud = cloud
        self._said: set[str] = set()

    def step(self) -> bool:
        """Whether there may be more to deliver. Raises what stood in the way."""
        path = self._oldest()
        if path is None:
            return False
        try:
            before = path.stat()
            content = path.read_bytes()
        except FileNotFoundError:
            return True  # given up for room
        self._cloud.s3.put_object(
            Bucket=self._settings.sales_bucket,
            Key=f"outbox/till={self._settings.thing}/{path.name}",
            Body=content,
            ContentType="application/json",
        )
        _take_away(path, before.st_mtime_ns, before.st_ino)
        return True

    def _oldest(self) -> Path | None:
        found = []
        for path in self._settings.outbox.glob("*"):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                if status.st_size <= LARGEST_BYTES:
                    found.append((status.st_mtime_ns, path))
                else:
                    self._tell(path.name, f"has more than {LARGEST_BYTES} bytes")
        return min(found)[1] if found else None

    def _tell(self, name: str, why: str) -> None:
        if name not in self._said:
            self._said.add(name)
            log.warning("outbox/%s %s: it stays where it is", name, why)

    def close(self) -> None:
        """Nothing is held."""


def _take_away(path: Path, modified: int, inode: int) -> None:
    """Unless another file has taken its place meanwhile."""
    try:
        status = path.stat()
        if (status.st_mtime_ns, status.st_ino) == (modified, inode):
            path.unlink()
    except FileNotFoundError:
        return
