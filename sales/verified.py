"""Is a text a record, in canonical form, with the hash that it should have? Strict always, quick mostly.

edgekit.record is the definition. Re-encoding by the C encoder tells the same for nearly every record at a
tenth of the cost; what it can't tell goes the long way.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from edge_components.edgekit import record
from edge_components.edgekit.record import RecordError

_LONG_NUMBER = re.compile(rb"[:,\[]-?[0-9]{16}")  # may be beyond 2^53-1
_BEYOND_BMP = re.compile(rb"[\xf0-\xff]")  # where code points and UTF-16 sort differently


class HashError(Exception):
    """A record in canonical form that doesn't hash to what it says."""


def verified(text: bytes) -> dict[str, Any]:
    """The record in `text`. Raises RecordError for what is none, HashError for one that was changed."""
    content = _quickly(text)
    if content is None:
        content = record.parse(text)
        if not isinstance(content, dict) or set(content) != set(record.KEYS):
            raise RecordError("not the keys of a record")
        if record.canonical(content) != text:
            raise RecordError("not in canonical form")
    if not _hash_holds(text, content):
        raise HashError
    return content


def _quickly(text: bytes) -> dict[str, Any] | None:
    """The record when one look is enough to know that it is one; None when it takes a closer one."""
    if _LONG_NUMBER.search(text) or _BEYOND_BMP.search(text):
        return None
    try:
        content = json.loads(text, parse_float=_refuse, parse_constant=_refuse)
        same = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == text
    except (ValueError, RecursionError):
        return None
    if not same or not isinstance(content, dict) or content.keys() != set(record.KEYS):
        return None
    return content


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _hash_holds(text: bytes, content: Mapping[str, Any]) -> bool:
    """Canonical form without the hash is canonical form with that member cut out."""
    own = content["hash"]
    if not isinstance(own, str):
        return False
    member = f'"hash":"{own}",'.encode()
    return hashlib.sha256(text.replace(member, b"", 1)).hexdigest() == own or (
        record.record_hash(content) == own
    )
