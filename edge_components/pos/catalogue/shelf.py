"""The snapshot in use: swapped between two requests, kept when its successor is damaged."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .snapshot import DamagedSnapshotError, Item, Snapshot

log = logging.getLogger("pos.catalogue")

_CURRENT = "current.json"
_SUFFIX = ".sqlite"
T = TypeVar("T")


class Catalogue:
    """What the till sells, as far as it knows. Used from any thread; nothing here keeps it from selling."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # of `look`
        self._seen: tuple[int, int, int] | None = None
        self._snapshot: Snapshot | None = None
        self._earlier: Snapshot | None = None

    @property
    def version(self) -> str | None:
        """The version that records name; None before the first one."""
        snapshot = self._snapshot
        return snapshot.version if snapshot else None

    @property
    def finder(self) -> Callable[[str], Item | None] | None:
        """`find`, or None where there is nothing to find anything in."""
        return self.find if self._snapshot else None

    def find(self, code: str) -> Item | None:
        """The product with this sku or barcode."""
        return self._ask(lambda snapshot: snapshot.find(code), None)[1]

    def search(self, query: str, department: str | None, limit: int) -> tuple[str | None, list[Item]]:
        """The version that answered, and products by words or beginnings of words, by description."""
        return self._ask(lambda snapshot: snapshot.search(query, department, limit), [])

    def lookup(self, code: str) -> tuple[str | None, Item | None]:
        """`find`, and the version that answered."""
        return self._ask(lambda snapshot: snapshot.find(code), None)

    def look(self) -> None:
        """Take up what sync has put in place; costs one `stat` when there is nothing new."""
        with self._lock:
            try:
                status = (self._folder / _CURRENT).stat()
            except OSError:
                return  # none yet, or taken away: what is open stays open
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._seen = seen
                self._take()

    def close(self) -> None:
        with self._lock:
            for snapshot in (self._snapshot, self._earlier):
                if snapshot is not None:
                    snapshot.close()
            self._snapshot = self._earlier = None

    def _take(self) -> None:
        try:
            path = self._folder / _named(self._folder / _CURRENT)
            found = Snapshot(path, path.name.removesuffix(_SUFFIX))
        except DamagedSnapshotError as error:
            if self._snapshot is None:
                self._snapshot = self._any()
            log.warning("selling goes on with catalogue %s: %s", self.version or "none", error)
            return
        oldest, self._earlier, self._snapshot = self._earlier, self._snapshot, found
        if oldest is not None:
            oldest.close()
        log.info("the catalogue is %s", found.version)

    def _any(self) -> Snapshot | None:
        """The newest snapshot in the folder that can be read: sync keeps the one before."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}"), reverse=True):
            try:
                return Snapshot(path, path.name.removesuffix(_SUFFIX))
            except DamagedSnapshotError as error:
                log.warning("%s", error)
        return None

    def _ask(self, question: Callable[[Snapshot], T], without: T) -> tuple[str | None, T]:
        """Ask the snapshot in use; when it has become unreadable, go back to the one before it."""
        while (snapshot := self._snapshot) is not None:
            try:
                return snapshot.version, question(snapshot)
            except DamagedSnapshotError as error:
                log.warning("%s", error)
                self._fall_back(snapshot)
        return None, without

    def _fall_back(self, damaged: Snapshot) -> None:
        with self._lock:
            if self._snapshot is damaged:
                self._snapshot, self._earlier = self._earlier, None
        damaged.close()


def _named(current: Path) -> str:
    try:
        name = json.loads(current.read_text(encoding="utf-8"))["file"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedSnapshotError(f"{current} does not name a file: {error!r}") from error
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(_SUFFIX):
        raise DamagedSnapshotError(f"{current} names {name!r}, which is no file beside it")
    return name
