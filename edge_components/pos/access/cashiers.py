"""Who sells here: from the component's configuration, and from a file on the till that outlives it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_components.edgekit.files import write_json

from .pins import PinError, check_hash

ROLES = ("cashier", "supervisor")
_MODE = 0o640  # hashes are nobody else's business
_log = logging.getLogger("pos.cashiers")


@dataclass(frozen=True, slots=True)
class Cashier:
    """One person who sells; `role` is `cashier` or `supervisor`."""

    cashier: str
    name: str
    role: str
    pin_hash: str


class CashierError(ValueError):
    """An entry that cannot be used; the message says why."""


class Cashiers:
    """The list; a name in the configuration wins over the same one in the file."""

    def __init__(self, path: Path, configured: Mapping[str, Mapping[str, str]]) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._filed: dict[str, Cashier] = {}
        self._configured: dict[str, Cashier] = {}
        self.configure(configured)

    def configure(self, configured: Mapping[str, Mapping[str, str]]) -> None:
        """Take the list of a changed configuration."""
        self._configured = _usable(configured, "the configuration")

    def find(self, cashier: str) -> Cashier | None:
        self._refresh()
        return self._configured.get(cashier) or self._filed.get(cashier)

    def any(self) -> bool:
        """Whether this till knows its cashiers at all; one that doesn't takes the name that it is given."""
        self._refresh()
        return bool(self._configured or self._filed)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            self._seen, self._filed = None, {}
            return
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._seen:
            self._seen = version
            found = _read(self._path)
            # A file that was spoiled must not let everybody do everything: then they stay as they were.
            if found is not None:
                self._filed = _usable(found, str(self._path))


def save(path: Path, cashier: Cashier) -> None:
    """Add or replace one cashier in the till's file."""
    found = (_read(path) if path.exists() else None) or {}
    entry = {"name": cashier.name, "role": cashier.role, "pin_hash": cashier.pin_hash}
    write_json(path, {"version": 1, "cashiers": {**found, cashier.cashier: entry}}, _MODE)


def remove(path: Path, cashier: str) -> None:
    """Take one cashier off the till's file; raises CashierError when it is not there."""
    found = dict((_read(path) if path.exists() else None) or {})
    if cashier not in found:
        raise CashierError(f"{cashier} is not in {path}")
    del found[cashier]
    write_json(path, {"version": 1, "cashiers": found}, _MODE)


def _read(path: Path) -> Mapping[str, Any] | None:
    """The entries, or None where the file is no list of cashiers."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["cashiers"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s is not a list of cashiers: %s", path, error)
        return None
    return found if isinstance(found, dict) else None


def _usable(found: Mapping[str, Any], where: str) -> dict[str, Cashier]:
    usable = {}
    for cashier, entry in found.items():
        try:
            usable[cashier] = _cashier(cashier, entry)
        except (CashierError, PinError) as error:
            _log.warning("cashier %s of %s cannot sign in: %s", cashier, where, error)
    return usable


def _cashier(cashier: str, entry: Any) -> Cashier:
    if not isinstance(entry, Mapping):
        raise CashierError("the entry must hold name, role and pin_hash")
    role = entry.get("role", "cashier")
    if role not in ROLES:
        raise CashierError(f"role must be one of {', '.join(ROLES)}, not {role!r}")
    pin_hash = check_hash(str(entry.get("pin_hash", "")))
    return Cashier(cashier, str(entry.get("name") or cashier), role, pin_hash)
