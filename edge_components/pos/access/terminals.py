"""Terminals on the shop's network: paired with a one-time code, known by a token, revocable."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from edge_components.edgekit.files import write_json

from .errors import AccessRefusedError
from .limits import Attempts

CODE_SECONDS = 300.0
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that looks like something else: 5 bits each
_CODE_LENGTH = 8
_MOST_CODES = 8
_WRONG_PER_ADDRESS = 5
_WRONG_TOGETHER = 30
_MODE = 0o600
_log = logging.getLogger("pos.terminals")


class Codes:
    """Pairing codes: short-lived, good for one use, in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._by_address = Attempts(_WRONG_PER_ADDRESS, clock=clock)
        self._together = Attempts(_WRONG_TOGETHER, clock=clock)

    def make(self) -> str:
        """A new code; the oldest goes when there are too many."""
        self._forget_old()
        while len(self._until) >= _MOST_CODES:
            del self._until[next(iter(self._until))]
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
        self._until[code] = self._clock() + CODE_SECONDS
        return code

    def use(self, code: str, address: str) -> None:
        """Spend a code; raises AccessRefusedError (403, or 429 with the seconds to wait)."""
        wait = max(self._by_address.wait(address), self._together.wait(""))
        if wait:
            text = f"too many wrong codes: try again in {wait} seconds"
            raise AccessRefusedError(429, "pairing_locked", text, retry_after=wait)
        self._forget_old()
        if self._until.pop(code.replace("-", "").strip().upper(), None) is None:
            self._by_address.wrong(address)
            self._together.wrong("")
            raise AccessRefusedError(403, "code_wrong", "the code is wrong, used or older than five minutes")
        self._by_address.right(address)

    def _forget_old(self) -> None:
        now = self._clock()
        self._until = {code: until for code, until in self._until.items() if until > now}


class Terminals:
    """Tokens of paired terminals; the file holds their hashes only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_hash: dict[str, str] = {}
        self._paired_at: dict[str, str] = {}
        self._load()

    def pair(self, terminal: str) -> str:
        """A token for this terminal; one that it had before is worth nothing from now on."""
        token = secrets.token_urlsafe(32)
        self._forget(terminal)
        self._by_hash[_hash(token)] = terminal
        self._paired_at[terminal] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._save()
        return token

    def revoke(self, terminal: str) -> bool:
        """Whether there was something to revoke."""
        known = self._forget(terminal)
        if known:
            self._save()
        return known

    def known(self, token: str) -> str | None:
        """The terminal that a token belongs to. Tokens are random: looking up a hash leaks nothing."""
        return self._by_hash.get(_hash(token))

    def listed(self) -> Mapping[str, str]:
        """Paired terminals, and since when (UTC)."""
        return dict(sorted(self._paired_at.items()))

    def _forget(self, terminal: str) -> bool:
        self._by_hash = {key: name for key, name in self._by_hash.items() if name != terminal}
        return self._paired_at.pop(terminal, None) is not None

    def _load(self) -> None:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))["terminals"]
            self._by_hash = {str(entry["token_sha256"]): str(name) for name, entry in found.items()}
            self._paired_at = {str(name): str(entry["paired_at"]) for name, entry in found.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("%s cannot be read, so terminals must be paired again: %s", self._path, error)

    def _save(self) -> None:
        found = {
            name: {"token_sha256": key, "paired_at": self._paired_at[name]}
            for key, name in self._by_hash.items()
        }
        write_json(self._path, {"version": 1, "terminals": found}, _MODE)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
