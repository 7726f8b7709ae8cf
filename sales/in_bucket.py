"""What the sales bucket holds of a till: segments, unpacked as far as they can be."""

import heapq
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import tee
from typing import Any, Protocol

from botocore.exceptions import ClientError

from edge_components.edgekit import keys
from sales.ahead import ahead
from sales.copies import Copy, Known, Report, sound
from sales.findings import Finding, Kind

AHEAD = 4  # segments fetched beforehand
LARGE = 16 * 1024 * 1024  # bytes; no segment of ours comes near, and more is read piece by piece
PIECE = 256  # bytes unpacked at a time: what comes before a damaged place can still be read


class Body(Protocol):
    def read(self, amount: int) -> bytes: ...


@dataclass
class Damage:
    """Why a segment can't be taken as it is; the first reason stays."""

    reason: str | None = None

    def note(self, reason: str) -> None:
        self.reason = self.reason or reason


def listed(s3: Any, bucket: str, thing: str | None) -> Iterator[str]:
    """Keys under sales/, of one till or of all; costs a listing per business date for one till."""
    return (entry["Key"] for entry in entries(s3, bucket, thing))


def entries(s3: Any, bucket: str, thing: str | None) -> Iterator[Mapping[str, Any]]:
    """What a listing says of each of them: Key, LastModified, Size."""
    if thing is None:
        yield from _entries(s3, bucket, "sales/")
        return
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="sales/", Delimiter="/")
    for page in pages:
        for date in page.get("CommonPrefixes", []):
            yield from _entries(s3, bucket, f"{date['Prefix']}till={thing}/")


def _entries(s3: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


def copies(s3: Any, bucket: str, segment_keys: Iterable[str], report: Report, known: Known) -> Iterator[Copy]:
    """A till's records by epoch and seq; keys come in that order. A few packed segments are in memory, and of
    each that overlaps another a piece unpacked."""
    first, second = tee(segment_keys)  # never further apart than what is fetched ahead, or overlaps
    bodies = ahead(lambda key: _fetched(s3, bucket, key), first, AHEAD)
    for together in _overlapping(second):
        yield from heapq.merge(
            *(_of_segment(key, next(bodies), report, known) for key in together),
            key=lambda copy: copy.position,
        )


def _fetched(s3: Any, bucket: str, key: str) -> Body | str:
    """A segment's body, in memory where it is of a segment's size; or why there is none."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        return f"{error.response['Error'].get('Code')}: the object cannot be read"
    body: Body = answer["Body"]
    return BytesIO(body.read(LARGE)) if answer["ContentLength"] <= LARGE else body


def _overlapping(segment_keys: Iterable[str]) -> Iterator[list[str]]:
    """Segments that share records, together; one that stands alone, alone."""
    together: list[str] = []
    end = ("", 0)
    for key in segment_keys:
        segment = keys.parse_segment_key(key)
        if together and (segment.epoch, segment.first) > end:
            yield together
            together = []
        together.append(key)
        end = max(end, (segment.epoch, segment.last))
    if together:
        yield together


def _of_segment(key: str, body: Body | str, report: Report, known: Known) -> Iterator[Copy]:
    segment = keys.parse_segment_key(key)
    damage = Damage()
    seq, last_hash = segment.first, ""
    for text in _lines(body, damage):
        if seq > segment.last:
            damage.note("holds more records than its name says")
            break
        content = _content(text, segment, seq, report=report, known=known)
        if content is not None:
            seq = content["seq"]
        last_hash = content["hash"] if content else ""
        yield Copy(segment.epoch, seq, last_hash, text, content, "bucket")
        seq += 1
    if seq <= segment.last:
        damage.note(f"ends before seq {seq}")
    if not last_hash.startswith(segment.hash8):
        damage.note("its last record is not the one that its name says")
    if damage.reason is not None:
        detail = f"{key}: {damage.reason}"
        report(Finding(Kind.DAMAGED, segment.thing, segment.epoch, segment.first, detail, segment.last))


def _content(
    text: bytes, segment: keys.Segment, seq: int, *, report: Report, known: Known
) -> Mapping[str, Any] | None:
    """A line's record, if it is sound and may lie where it lies: at `seq`, or after a gap."""
    found = sound(
        text, thing=segment.thing, epoch=segment.epoch, seq=seq, store="bucket", report=report, known=known
    )
    if found is None:
        return None
    told = (found["thing"], found["epoch"], found["business_date"])
    if told == (segment.thing, segment.epoch, segment.business_date) and seq <= found["seq"] <= segment.last:
        return found
    detail = f"bucket: {segment} holds a record of {' '.join(map(str, told))} seq {found['seq']}"
    report(Finding(Kind.PLACE, segment.thing, segment.epoch, seq, detail))
    return None


def _lines(body: Body | str, damage: Damage) -> Iterator[bytes]:
    """The lines of a segment, as far as it can be unpacked; `damage` tells why it ended early."""
    if isinstance(body, str):
        damage.note(body)
        return
    rest = b""
    for piece in _unpacked(body, damage):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        damage.note("its last line has no end")


def _unpacked(body: Body, damage: Damage) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)  # 31: gzip, checksum verified
    while packed := body.read(PIECE):
        try:
            yield unpacker.decompress(packed)
        except zlib.error as error:
            damage.note(f"not the bytes that were packed, {error}")
            return
    if not unpacker.eof or unpacker.unused_data:
        damage.note("not one whole gzip file")
