"""What a power cut leaves of a recorded disk: all that was synced, and any part of what was not.

The model is that of a journaling file system on an honest card. Data: what was written to a file before a
sync of it began is there once that sync has ended; every other write survives sector by sector, or not.
Names: what happened before a sync of a folder is there; of what came later a beginning is, in order. A file's
own sync says nothing of its name (POSIX), which is harsher than ext4.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disk import Entry

SECTORS = (512, 4096)


@dataclass(eq=False)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, Entry]] = field(default_factory=list)


@dataclass(frozen=True)
class _Change:
    """`file` gets the name `to` and loses `old`; None where there is none."""

    when: int
    file: _File | None
    old: str | None
    to: str | None

    def apply(self, names: dict[str, _File]) -> None:
        if self.old is not None:
            names.pop(self.old, None)
        if self.to is not None and self.file is not None:
            names[self.to] = self.file


class Disk:
    """Plays a journal; `image` is what a power cut after the last entry played would leave."""

    def __init__(self, root: Path, *, names_with_files: bool = False) -> None:
        """Begin with what lies below `root` now, all of it synced.

        `names_with_files`: a file's sync keeps all names given before it too, as ext4's journal does.
        """
        self._names_with_files = names_with_files
        self._root = root.resolve()
        self._now: dict[str, _File] = {}
        self._by_inode: dict[int, _File] = {}
        self._played = 0
        self._begun: dict[int, int] = {}
        self._renamed: list[_Change] = []
        for path in sorted(self._root.rglob("*")):
            if path.is_file():
                file = _File(bytearray(path.read_bytes()))
                self._now[str(path)] = self._by_inode[path.stat().st_ino] = file
        self._durable = dict(self._now)

    def play(self, played: Iterable[Entry]) -> None:
        for entry in played:
            self._play(entry)
            self._played += 1

    def _play(self, entry: Entry) -> None:
        if entry.kind == "o":
            self._open(entry)
        elif entry.kind in "wtg":
            self._by_inode[entry.inode].unsynced.append((self._played, entry))
        elif entry.kind == "s":
            self._begun[entry.number] = self._played
        elif entry.kind == "S":
            self._synced(entry.inode, self._begun.pop(entry.number))
        elif entry.kind == "r":
            self._rename(entry.path, entry.data.decode())
        elif entry.kind == "u":
            self._change(self._now.get(entry.path), entry.path, None)

    def _open(self, entry: Entry) -> None:
        file = self._now.get(entry.path)
        if file is None or self._by_inode.get(entry.inode) is not file:
            file = self._by_inode[entry.inode] = _File()
            self._change(file, None, entry.path)
        elif entry.number:
            file.unsynced.append((self._played, Entry("t", entry.inode, 0, "", b"")))

    def _rename(self, source: str, target: str) -> None:
        if source in self._now:
            self._change(self._now[source], source, target or None)
            return
        for path in [name for name in self._now if name.startswith(f"{source}/")]:  # a folder
            self._change(self._now[path], path, target + path[len(source) :] if target else None)

    def _change(self, file: _File | None, old: str | None, to: str | None) -> None:
        change = _Change(self._played, file, old, to)
        change.apply(self._now)
        self._renamed.append(change)

    def _synced(self, inode: int, begun: int) -> None:
        if inode:
            file = self._by_inode[inode]
            for when, entry in file.unsynced:
                if when < begun:
                    _apply(file.durable, entry)
            file.unsynced = [(when, entry) for when, entry in file.unsynced if when >= begun]
        if inode and not self._names_with_files:
            return
        for change in self._renamed:
            if change.when < begun:
                change.apply(self._durable)
        self._renamed = [change for change in self._renamed if change.when >= begun]

    def worst(self) -> dict[str, bytes]:
        """The image of a cut that takes everything that was not synced."""
        return self._image(random.Random(0), 0, 0.0)  # noqa: S311 - nothing is left to chance

    def image(self, chance: random.Random) -> dict[str, bytes]:
        """File contents by path relative to the root, after a power cut now."""
        renamed = chance.randint(0, len(self._renamed))
        return self._image(chance, renamed, chance.choice((0.0, 0.3, 0.5, 0.9, 1.0)))

    def _image(self, chance: random.Random, renamed: int, odds: float) -> dict[str, bytes]:
        names = dict(self._durable)
        for change in self._renamed[:renamed]:
            change.apply(names)
        sector = chance.choice(SECTORS)
        content: dict[int, bytes] = {}
        for file in names.values():
            if id(file) not in content:
                content[id(file)] = _survived(file, chance, odds, sector)
        return {str(Path(name).relative_to(self._root)): content[id(file)] for name, file in names.items()}


def _survived(file: _File, chance: random.Random, odds: float, sector: int) -> bytes:
    content = bytearray(file.durable)
    for _, entry in file.unsynced:
        if entry.kind != "w":
            if chance.random() < odds:
                _apply(content, entry)
            continue
        end = entry.number + len(entry.data)
        start = entry.number
        while start < end:
            stop = min(end, (start // sector + 1) * sector)
            if chance.random() < odds:
                part = entry.data[start - entry.number : stop - entry.number]
                _apply(content, Entry("w", entry.inode, start, "", part))
            start = stop
    return bytes(content)


def _apply(content: bytearray, entry: Entry) -> None:
    if entry.kind == "w":
        _grow(content, entry.number)
        content[entry.number : entry.number + len(entry.data)] = entry.data
    elif entry.kind == "t":
        del content[entry.number :]
        _grow(content, entry.number)
    else:
        _grow(content, entry.number)


def _grow(content: bytearray, size: int) -> None:
    content.extend(bytes(max(0, size - len(content))))


def materialise(image: dict[str, bytes], folder: Path) -> None:
    """Write an image out as a folder that a process can open."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
