"""Asks the helper that runs as root: a file per question, a file per answer (docs/interfaces.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.2


class HelperError(Exception):
    """The helper isn't installed, or does not answer in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is done, refused or failed; `written` is when it was written, in epoch seconds."""

    outcome: str
    message: str
    detail: Mapping[str, Any]
    written: float

    @property
    def done(self) -> bool:
        return self.outcome == "done"

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of the certificate that the nucleus is to use; empty when it isn't told."""
        return str(self.detail.get("fingerprint", ""))


class Helper:
    def __init__(self, folder: Path, seconds: float) -> None:
        self._asks = folder / "asks"
        self._answers = folder / "answers"
        self._seconds = seconds

    def ask(self, verb: str) -> Answer:
        """Wait for a new answer. Raises HelperError."""
        before = self._stamp(verb)
        self._put(verb, b"")
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            if self._stamp(verb) != before and (found := self.answer(verb)):
                return found
            time.sleep(POLL_SECONDS)
        raise HelperError(f"the helper did not answer {verb} within {self._seconds:.0f} s")

    def give(self, name: str, content: bytes) -> None:
        """Leave a file before the question that needs it. Raises HelperError."""
        self._put(name, content)

    def answer(self, verb: str) -> Answer | None:
        """The last answer since the machine started; None when there is none."""
        path = self._answers / f"{verb}.json"
        try:
            written = path.stat().st_mtime
            found = json.loads(path.read_text(encoding="utf-8"))
            detail = found.get("detail")
            return Answer(
                str(found["outcome"]),
                str(found.get("message", "")),
                detail if isinstance(detail, dict) else {},
                written,
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise HelperError(f"the helper's answer {path} can't be read: {error}") from error

    def _put(self, name: str, content: bytes) -> None:
        try:
            (self._asks / name).write_bytes(content)
        except OSError as error:
            raise HelperError(
                f"the helper can't be asked ({error}): is pi_bootstrap.sh older than the components?"
            ) from error

    def _stamp(self, verb: str) -> tuple[int, int] | None:
        try:
            found = (self._answers / f"{verb}.json").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
