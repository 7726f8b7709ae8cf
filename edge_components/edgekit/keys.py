"""Permanent, content-addressed keys: where a record lies in DynamoDB, where a segment lies in S3.

Every key can be built and read back; what does not parse raises KeyFormatError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD = "head"  # the sort key of a till's head item, beside its records
_DIGITS = 12
_SORT_KEY = re.compile(r"([0-9a-f]{16})#([0-9]{12})#([0-9a-f]{8})")
_SEGMENT = re.compile(
    r"sales/date=([0-9]{4}-[0-9]{2}-[0-9]{2})/till=([A-Za-z0-9_-]{1,128})/"
    r"([0-9a-f]{16})-([0-9]{12})-([0-9]{12})-([0-9a-f]{8})\.jsonl\.gz"
)


class KeyFormatError(ValueError):
    """A text that is no key of ours, or parts from which no key can be made."""


@dataclass(frozen=True, slots=True, order=True)
class SortKey:
    """`<epoch>#<seq>#<first 8 of hash>`."""

    epoch: str
    seq: int
    hash8: str

    def __str__(self) -> str:
        return _checked(_SORT_KEY, f"{self.epoch}#{self.seq:0{_DIGITS}d}#{self.hash8}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One S3 object: the records `first` to `last` of one epoch and one business date."""

    business_date: str
    thing: str
    epoch: str
    first: int
    last: int
    hash8: str

    def __str__(self) -> str:
        if self.last < self.first:
            raise KeyFormatError(f"a segment from {self.first} to {self.last} is empty")
        bounds = f"{self.first:0{_DIGITS}d}-{self.last:0{_DIGITS}d}"
        folder = f"sales/date={self.business_date}/till={self.thing}"
        return _checked(_SEGMENT, f"{folder}/{self.epoch}-{bounds}-{self.hash8}.jsonl.gz")


def sort_key(epoch: str, seq: int, record_hash: str) -> str:
    """The DynamoDB sort key of a record, from its full hash."""
    return str(SortKey(epoch, seq, record_hash[:8]))


def parse_sort_key(text: str) -> SortKey:
    epoch, seq, hash8 = _groups(_SORT_KEY, text)
    return SortKey(epoch, int(seq), hash8)


def segment_key(business_date: str, thing: str, epoch: str, *, first: int, last: int, last_hash: str) -> str:
    """The S3 key of a segment, from the full hash of its last record."""
    return str(Segment(business_date, thing, epoch, first, last, last_hash[:8]))


def parse_segment_key(text: str) -> Segment:
    business_date, thing, epoch, first, last, hash8 = _groups(_SEGMENT, text)
    segment = Segment(business_date, thing, epoch, int(first), int(last), hash8)
    if str(segment) != text:
        raise KeyFormatError(f"{text!r} is not a segment's key")
    return segment


def _checked(pattern: re.Pattern[str], text: str) -> str:
    _groups(pattern, text)
    return text


def _groups(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = pattern.fullmatch(text)
    if not match:
        raise KeyFormatError(f"{text!r} is not of the form {pattern.pattern}")
    return match.groups()
