"""The store's catalogue: fetched when it has changed, checked, and only then named as the current one."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from botocore.exceptions import ClientError

from edge_components.edgekit.files import sync_directory, write_json
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import AssignmentError, CatalogueError
from edge_components.sync.settings import Settings

log = logging.getLogger("sync")

CURRENT = "current.json"
SUFFIX = ".sqlite"
PIECE = 64 * 1024  # bytes read, unpacked and written at a time
MOST_BYTES = 512 * 1024 * 1024  # a latest.json that asks for more is wrong
ROOM_BYTES = 128 * 1024 * 1024  # left free for selling, which stops on a full disk
_VERSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_HASH = re.compile(r"[0-9a-f]{64}")
_UNCHANGED = ("304", "NotModified")
_ABSENT = ("NoSuchKey", "404", "AccessDenied", "403")  # without the right to list, absent reads as denied


@dataclass(frozen=True)
class Wanted:
    """The part of `latest.json` that a till needs; sha256 and size (bytes) are of the unpacked file."""

    version: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        return f"{self.version}{SUFFIX}"


class CatalogueFetcher:
    """`step` asks once; False, since there is nothing more to do until the next time."""

    name = "catalogue"

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self._settings = settings
        self._cloud = cloud
        self._folder = settings.catalogue
        self._answered: tuple[str, str] | None = None  # the store and the ETag of what is in place
        self._absent: str | None = None  # the store of which it was said that it has none

    def step(self) -> bool:
        """Raises CatalogueError, or what stood in the way of asking; what is in place stays until then."""
        store = self._store()
        answer = self._latest(store)
        if answer is None:
            return False
        wanted, etag = answer
        if not _is_in_place(self._folder, wanted):
            self._make_room(wanted)
            self._fetch(store, wanted)
            self._put_in_place(wanted)
        self._answered = (store, etag)
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _store(self) -> str:
        try:
            return str(json.loads(self._settings.assignment.read_text(encoding="utf-8"))["store"])
        except FileNotFoundError as error:
            raise AssignmentError("this till has no assignment yet") from error

    def _latest(self, store: str) -> tuple[Wanted, str] | None:
        """What the store should have, and its ETag; None when there is nothing new, or nothing at all."""
        known = self._answered[1] if self._answered and self._answered[0] == store else None
        current = _current(self._folder)
        if current is None or not (self._folder / current).exists():
            known = None
        condition = {"IfNoneMatch": known} if known else {}
        try:
            answer = self._get(f"catalogue/{store}/latest.json", **condition)
        except ClientError as error:
            if _code(error) in _ABSENT and self._absent != store:
                self._absent = store
                log.info("store %s has no catalogue, or this till may not read it", store)
            if _code(error) in (*_UNCHANGED, *_ABSENT):
                return None
            raise
        self._absent = None
        return _wanted(answer["Body"].read(PIECE)), answer["ETag"]

    def _make_room(self, wanted: Wanted) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".*.partial"):  # by a power cut
            left.unlink()
        free = shutil.disk_usage(self._folder).free
        if free < wanted.size + ROOM_BYTES:
            raise CatalogueError(f"the disk has {free} bytes free, too few for a catalogue of {wanted.size}")

    def _fetch(self, store: str, wanted: Wanted) -> None:
        """Write the snapshot beside the others; a part of one is removed again."""
        partial = self._folder / f".{wanted.version}.partial"
        body = self._get(f"catalogue/{store}/{wanted.version}.sqlite.gz")["Body"]
        digest, size = hashlib.sha256(), 0
        try:
            with partial.open("wb") as file:
                for piece in _unpacked(body):
                    size += len(piece)
                    if size > wanted.size:
                        break
                    digest.update(piece)
                    file.write(piece)
            if (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
                raise CatalogueError(f"the catalogue {wanted.version} did not arrive whole")
            _check(partial, wanted.version, store)
            _sync(partial)
            partial.replace(self._folder / wanted.file)
        finally:
            partial.unlink(missing_ok=True)
        sync_directory(self._folder)

    def _put_in_place(self, wanted: Wanted) -> None:
        """Name it; pos takes it up between two requests. The one before stays, older ones go."""
        before = _current(self._folder)
        if before in (None, wanted.file):
            others = (path.name for path in self._folder.glob(f"*{SUFFIX}") if path.name != wanted.file)
            before = max(others, default=None)
        write_json(self._folder / CURRENT, {"version": wanted.version, "file": wanted.file})
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.name not in (wanted.file, before):
                path.unlink()
        log.info("the catalogue is %s, %d bytes", wanted.version, wanted.size)

    def _get(self, key: str, **condition: str) -> Any:
        return self._cloud.s3.get_object(Bucket=self._settings.artifact_bucket, Key=key, **condition)


def _wanted(text: bytes) -> Wanted:
    try:
        found = json.loads(text)
        wanted = Wanted(found["version"], found["sha256"], found["size"])
        good = bool(_VERSION.fullmatch(wanted.version) and _HASH.fullmatch(wanted.sha256))
        good = good and type(wanted.size) is int and 0 < wanted.size <= MOST_BYTES
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogueError(f"latest.json can't be read: {error!r}") from error
    if not good:
        raise CatalogueError(
            f"latest.json names {wanted.version!r}, which is no version, or no size and hash"
        )
    return wanted


def _unpacked(body: Any) -> Iterator[bytes]:
    """The pieces of a gzip file, none larger than PIECE however well it was packed."""
    unpacker = zlib.decompressobj(wbits=31)  # 31: gzip, checksum verified
    try:
        while packed := body.read(PIECE):
            while packed:
                yield unpacker.decompress(packed, PIECE)
                packed = unpacker.unconsumed_tail
    except zlib.error as error:
        raise CatalogueError(f"the catalogue can't be unpacked: {error}") from error
    yield unpacker.flush()


def _check(path: Path, version: str, store: str) -> None:
    """Whether it is the snapshot of this store: the hash says that it is what was made, not what it is."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            finding = connection.pragma("quick_check", 1)
            rows: list[tuple[Any, ...]] = list(connection.execute("SELECT key, value FROM meta"))
        finally:
            connection.close(force=True)
    except apsw.Error as error:
        raise CatalogueError(f"the catalogue {version} is no database: {error}") from error
    meta = dict(rows)
    if finding != "ok" or (meta.get("version"), meta.get("store")) != (version, store):
        raise CatalogueError(
            f"the catalogue {version} of {store} says {meta.get('version')} of {meta.get('store')}, {finding}"
        )


def _is_in_place(folder: Path, wanted: Wanted) -> bool:
    """Whether the current snapshot is this one, to the last byte: a card can lose what it was given."""
    if _current(folder) != wanted.file:
        return False
    try:
        with (folder / wanted.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == wanted.sha256
    except OSError:
        return False


def _current(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / CURRENT).read_text(encoding="utf-8"))["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nothing yet, or cut short by something other than us


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
