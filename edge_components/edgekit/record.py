"""The record format: canonical JSON (RFC 8785 without floats), its hash, and the chain that hashes form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_INTEGER = 2**53 - 1  # RFC 8785 numbers are IEEE 754 doubles: beyond this, integers are no longer exact
ZERO_HASH = "0" * 64
VERSION = 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SORTING_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
KEYS = (
    "v",
    "epoch",
    "seq",
    "kind",
    "thing",
    "store",
    "terminal",
    "cashier",
    "sale_id",
    "receipt_no",
    "business_date",
    "recorded_at",
    "clock_synchronized",
    "boot_id",
    "monotonic_ns",
    "catalogue_version",
    "body",
    "exceptions",
    "prev_hash",
    "hash",
)


class RecordError(ValueError):
    """A value that has no canonical form, or a text that is not a record."""


def canonical(value: Any) -> bytes:
    """The one UTF-8 encoding of a JSON value, by RFC 8785; raises RecordError for what the format leaves out.

    Left out: floats (NaN among them), integers beyond 2^53-1, lone surrogates, keys that are not strings.
    """
    if _is_plain([value]):
        return _encoded(_SORTING_ENCODER, value)
    return _encoded(_ENCODER, _ordered(value, "$"))  # says where what is wrong stands, and takes any Mapping


def _encoded(encoder: json.JSONEncoder, value: Any) -> bytes:
    try:
        return encoder.encode(value).encode()
    except UnicodeEncodeError as error:
        raise RecordError(f"a text holds a lone surrogate at position {error.start}") from error


def _is_plain(values: Iterable[Any]) -> bool:
    """Whether json's own sorting gives the canonical order, which is so for nearly all that is recorded."""
    for value in values:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            continue
        if kind is int:
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                return False
        elif kind is dict:
            # The order of code points is that of UTF-16 code units as long as all keys are ASCII.
            if not (_are_ascii(value) and _is_plain(value.values())):
                return False
        elif kind not in (list, tuple) or not _is_plain(value):
            return False
    return True


def _are_ascii(keys: Iterable[Any]) -> bool:
    try:
        return "".join(keys).isascii()
    except TypeError:
        return False  # not all of them are strings


def _ordered(value: Any, path: str) -> Any:
    if value is None or type(value) in (str, bool):
        return value
    if type(value) is int:
        if abs(value) > MAX_INTEGER:
            raise RecordError(f"{path}: the integer {value} is beyond 2^53-1")
        return value
    if isinstance(value, Mapping):
        return {key: _ordered(value[key], f"{path}.{key}") for key in _sorted_keys(value, path)}
    if isinstance(value, list | tuple):
        return [_ordered(item, f"{path}[{index}]") for index, item in enumerate(value)]
    raise RecordError(f"{path}: a {type(value).__name__} has no place in a record")


def _sorted_keys(value: Mapping[Any, Any], path: str) -> list[str]:
    for key in value:
        if not isinstance(key, str):
            raise RecordError(f"{path}: the key {key!r} is not a string")
    try:
        # RFC 8785 sorts by UTF-16 code units; Python sorts by code points, which differs beyond U+FFFF.
        return sorted(value, key=lambda key: key.encode("utf-16-be"))
    except UnicodeEncodeError as error:
        raise RecordError(f"{path}: a key holds a lone surrogate") from error


def parse(text: str | bytes) -> Any:
    """Read JSON strictly: floats, NaN, repeated keys and integers beyond 2^53-1 raise RecordError."""
    try:
        return json.loads(
            text,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
            parse_int=_bounded_integer,
            object_pairs_hook=_unique_keys,
        )
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error


def _refuse_float(text: str) -> Any:
    raise RecordError(f"the number {text[:40]} is not an integer")


def _bounded_integer(text: str) -> int:
    if len(text) > 17 or abs(value := int(text)) > MAX_INTEGER:
        raise RecordError(f"the integer {text[:40]} is beyond 2^53-1")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RecordError("an object repeats a key")
    return found


def digest(value: Any) -> str:
    """SHA-256 over the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def record_hash(record: Mapping[str, Any]) -> str:
    """The hash that a record must carry: over everything in it but the hash itself."""
    return digest({key: value for key, value in record.items() if key != "hash"})


def sealed_text(record: Mapping[str, Any]) -> tuple[str, str]:
    """The hash of a record that has none yet, and the canonical form of the record with it.

    As `seal` and `canonical` would give them, for half the work: the parts before and after the hash, in the
    order of keys, are the same with it and without.
    """
    before = canonical({key: value for key, value in record.items() if key < "hash"})[1:-1]
    after = canonical({key: value for key, value in record.items() if key > "hash"})[1:-1]
    found = hashlib.sha256(_joined(before, after)).hexdigest()
    return found, _joined(before, f'"hash":"{found}"'.encode(), after).decode()


def _joined(*members: bytes) -> bytes:
    return b"{" + b",".join(member for member in members if member) + b"}"


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its hash."""
    return {**record, "hash": record_hash(record)}


def text_has_hash(text: str, expected: str) -> bool:
    """Whether a record's canonical text, its hash in it, hashes to `expected`.

    As `record_hash` of what `parse` reads would tell, for a tenth of the work. A record can't hold its own
    hash in another place; that the member found is the record's own is for the reader to check.
    """
    before, _, after = text.partition(f',"hash":"{expected}"')
    return hashlib.sha256((before + after).encode("utf-8", "surrogatepass")).hexdigest() == expected


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold."""

    epoch: str
    seq: int
    reason: str

    def __str__(self) -> str:
        return f"epoch {self.epoch} seq {self.seq}: {self.reason}"


def first_break(
    records: Iterable[Mapping[str, Any]], previous: Mapping[str, Any] | None = None
) -> Break | None:
    """The first record that does not follow from the one before it, or None.

    `records` come in epoch, then seq order. `previous` is the record before the first one; without it, the
    first record is taken as it is, unless it opens an epoch.
    """
    return _first(_fault, records, previous)


def first_gap(
    records: Iterable[Mapping[str, Any]], previous: Mapping[str, Any] | None = None
) -> Break | None:
    """`first_break` for records whose hashes are known to be theirs."""
    return _first(_misplaced, records, previous)


def _first(
    fault: Callable[[Mapping[str, Any], Mapping[str, Any] | None], str | None],
    records: Iterable[Mapping[str, Any]],
    previous: Mapping[str, Any] | None,
) -> Break | None:
    for record in records:
        reason = fault(record, previous)
        if reason:
            seq = record.get("seq")
            return Break(str(record.get("epoch")), seq if isinstance(seq, int) else 0, reason)
        previous = record
    return None


def _fault(record: Mapping[str, Any], previous: Mapping[str, Any] | None) -> str | None:
    if record.get("hash") != record_hash(record):
        return "the hash is not that of the record"
    return _misplaced(record, previous)


def _misplaced(record: Mapping[str, Any], previous: Mapping[str, Any] | None) -> str | None:
    if not {"epoch", "seq", "prev_hash"} <= record.keys() or not isinstance(record["seq"], int):
        return "it lacks its place in the chain"
    if record["seq"] == 1:
        return None if record["prev_hash"] == ZERO_HASH else "an epoch's first record follows another one"
    return None if previous is None else _does_not_follow(record, previous)


def _does_not_follow(record: Mapping[str, Any], previous: Mapping[str, Any]) -> str | None:
    if previous["epoch"] != record["epoch"]:
        return "the epoch does not begin with seq 1"
    if previous["seq"] + 1 != record["seq"]:
        return f"seq {previous['seq']} comes before it"
    if previous["hash"] != record["prev_hash"]:
        return "prev_hash is not the hash of the record before it"
    return None
