"""What had been promised: the HTTP answers in a recorded disk's journal, and when each was given."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.faults.disk import Entry

_HEAD = re.compile(rb"HTTP/1\.1 (\d+)[^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """`when` is the number of the entry whose bytes completed it."""

    when: int
    status: int
    body: Any


def receipts(played: Iterable[Entry]) -> list[Answer]:
    """Every answer that says that something is recorded (200 or 201 with a receipt)."""
    streams: dict[int, bytes] = defaultdict(bytes)
    found = []
    for when, entry in enumerate(played):
        if entry.kind != "a":
            continue
        streams[entry.inode] += entry.data
        while (answer := _first(streams[entry.inode])) is not None:
            status, body, rest = answer
            streams[entry.inode] = rest
            if status in (200, 201) and b'"receipt_no"' in body:
                found.append(Answer(when, status, json.loads(body)))
    return found


def _first(stream: bytes) -> tuple[int, bytes, bytes] | None:
    match = _HEAD.search(stream)
    if match is None:
        return None
    length = _LENGTH.search(match[2])
    end = match.end() + (int(length[1]) if length else 0)
    return (int(match[1]), stream[match.end() : end], stream[end:]) if len(stream) >= end else None
