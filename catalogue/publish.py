"""Snapshots into S3: under a name that nothing else can have, and only then named as the latest."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from catalogue.errors import CatalogueError
from catalogue.products import Product
from catalogue.snapshot import Version, build, content_digest, stamp
from infra.names import Names
from infra.settings import Store

Progress = Callable[[str], None]
LATEST = "latest.json"
_ABSENT = ("NoSuchKey", "404")
_THERE = ("PreconditionFailed", "412")


@dataclass(frozen=True)
class Latest:
    """What `latest.json` says: sha256 and size (bytes) are of the snapshot before it is packed."""

    version: str
    sha256: str
    size: int
    made_at: str
    content: str


@dataclass(frozen=True)
class Outcome:
    """`changed` is false where the store has these products already."""

    store: str
    latest: Latest
    changed: bool

    def document(self) -> dict[str, Any]:
        return {"store": self.store, "changed": self.changed, **asdict(self.latest)}


@dataclass(frozen=True)
class Shelf:
    """Where a fleet's catalogues lie, and a folder to make snapshots in; `dry_run` writes nothing to S3."""

    s3: Any
    bucket: str
    work: Path
    dry_run: bool = False


def publish(
    shelf: Shelf, products: Sequence[Product], stores: Sequence[Store], now: datetime, progress: Progress
) -> list[Outcome]:
    """Give each store a snapshot of `products` (by sku), unless it has them. Raises CatalogueError."""
    base = shelf.work / "base.sqlite"
    build(base, products)
    outcomes = []
    for store in stores:
        outcomes.append(_publish(shelf, base, products, store, now.astimezone(UTC)))
        progress(f"{store.id}: {outcomes[-1].latest.version}")
    return outcomes


def latest(s3: Any, bucket: str, store: str) -> Latest | None:
    """What a store has; None before its first catalogue. Raises CatalogueError for what is no latest.json."""
    key = Names.catalogue_key(store, LATEST)
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise
    try:
        return Latest(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise CatalogueError(
            f"{key} is not as this version writes it ({error}); delete it and repeat"
        ) from error


def _publish(shelf: Shelf, base: Path, products: Sequence[Product], store: Store, now: datetime) -> Outcome:
    version = Version(now, content_digest(products, store.currency))
    there = latest(shelf.s3, shelf.bucket, store.id)
    if there is not None and there.content == version.content:
        return Outcome(store.id, there, changed=False)
    path = shelf.work / f"{store.id}.sqlite"
    shutil.copyfile(base, path)
    stamp(path, version, store.id, store.currency)
    content = path.read_bytes()
    path.unlink()
    made = Latest(
        version=str(version),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        made_at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        content=version.content,
    )
    if not shelf.dry_run:
        _put(shelf, store.id, made, content)
    return Outcome(store.id, made, changed=True)


def _put(shelf: Shelf, store: str, made: Latest, content: bytes) -> None:
    key = Names.catalogue_key(store, f"{made.version}.sqlite.gz")
    packed = gzip.compress(content, mtime=0)
    try:
        shelf.s3.put_object(
            Bucket=shelf.bucket, Key=key, Body=packed, ContentType="application/gzip", IfNoneMatch="*"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise
        there = gzip.decompress(shelf.s3.get_object(Bucket=shelf.bucket, Key=key)["Body"].read())
        if there != content:
            raise CatalogueError(f"{key} is there with other content; publish again in a second") from error
    shelf.s3.put_object(
        Bucket=shelf.bucket,
        Key=Names.catalogue_key(store, LATEST),
        Body=json.dumps(asdict(made)).encode() + b"\n",
        ContentType="application/json",
    )
