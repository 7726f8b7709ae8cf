"""Components' configuration: JSON pointers, reset before merge, and where it is kept."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Any
Pointer = Sequence[str]


def parse_pointer(text: str) -> list[str]:
    """The keys of an RFC 6901 pointer; "" is the whole document."""
    if not text:
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in text.lstrip("/").split("/")]


def lookup(document: Json, keys: Pointer) -> Json:
    """The value at `keys`; raises KeyError when there is none."""
    for key in keys:
        if isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        elif isinstance(document, dict) and key in document:
            document = document[key]
        else:
            raise KeyError("/".join(keys))
    return document


def merge(into: Json, update: Json) -> Json:
    """Objects are merged key by key, everything else (lists too) is replaced."""
    if not (isinstance(into, dict) and isinstance(update, dict)):
        return copy.deepcopy(update)
    merged = dict(into)
    for key, value in update.items():
        merged[key] = merge(merged[key], value) if key in merged else copy.deepcopy(value)
    return merged


def reset(document: Mapping[str, Json], pointers: Iterable[str], defaults: Mapping[str, Json]) -> Json:
    """Each place takes its default again, or goes where the recipe has none."""
    result: Json = copy.deepcopy(dict(document))
    for text in pointers:
        keys = parse_pointer(text)
        if not keys:
            result = copy.deepcopy(dict(defaults))
            continue
        try:
            value = lookup(defaults, keys)
        except KeyError:
            _remove(result, keys)
        else:
            place(result, keys, copy.deepcopy(value))
    return result


def place(document: dict[str, Json], keys: Pointer, value: Json) -> None:
    """Set the value at `keys`, making the objects on the way."""
    for key in keys[:-1]:
        below = document.get(key)
        if not isinstance(below, dict):
            below = document[key] = {}
        document = below
    document[keys[-1]] = value


def _remove(document: Json, keys: Pointer) -> None:
    try:
        parent = lookup(document, keys[:-1])
    except KeyError:
        return
    if isinstance(parent, dict):
        parent.pop(keys[-1], None)


def updated(
    current: Mapping[str, Json] | None, defaults: Mapping[str, Json], update: Mapping[str, Json] | None
) -> dict[str, Json]:
    """What a component's configuration becomes: what the till has beats the recipe's defaults.

    `update` is a deployment's configurationUpdate ({"reset": [...], "merge": {...}}); reset runs first.
    """
    result: Json = merge(defaults, current) if current is not None else copy.deepcopy(dict(defaults))
    if update:
        result = reset(result, update.get("reset") or (), defaults)
        result = merge(result, update.get("merge") or {})
    return dict(result)
