"""Deleting one thing after another, patiently, and remembering what would not go."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

GONE = frozenset({"ResourceNotFoundException", "NotFoundException"})
# The registry of things is eventually consistent: what was just detached may still count as attached.
FOR_NOW = frozenset(
    {
        "CertificateStateException",
        "ConflictException",
        "ConflictingResourceUpdateException",
        "DeleteConflictException",
        "InternalFailureException",
        "InternalServerException",
        "InvalidRequestException",
        "LimitExceededException",
        "ThrottlingException",
        "VersionConflictException",
    }
)
WAITS_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)


class OutOfTimeError(Exception):
    """The function's time is nearly over; what is swept so far stays swept."""


@dataclass(frozen=True)
class Failure:
    """Something that could not be deleted, and what the service said."""

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.reason})"


@dataclass
class Attempts:
    """`remaining_seconds` says how much time is left; below `reserve_seconds` no new deletion starts."""

    remaining_seconds: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep
    reserve_seconds: float = 30
    deleted: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def delete(self, kind: str, name: str, *steps: Callable[[], Any]) -> None:
        """Do all `steps`, each until it works, is found done, or has been refused too often.

        A failure ends this deletion only. Raises OutOfTimeError.
        """
        try:
            did = [self._persist(step) for step in steps]
        except (ClientError, BotoCoreError) as error:
            self.failures.append(Failure(kind, name, str(error)))
        else:
            self.deleted[kind] = self.deleted.get(kind, 0) + did[-1]

    def summary(self) -> str:
        """`2 thing, 3 certificate`: what is gone so far, by kind."""
        return ", ".join(f"{count} {kind}" for kind, count in self.deleted.items() if count) or "nothing"

    def _persist(self, step: Callable[[], Any]) -> bool:
        def in_time() -> None:
            if self.remaining_seconds() < self.reserve_seconds:
                raise OutOfTimeError
            step()

        return until_done(in_time, self.sleep)


def until_done(step: Callable[[], Any], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Do `step`; False when what it is about is gone. Raises ClientError when it is refused too often."""
    for wait in (*WAITS_SECONDS, None):
        try:
            step()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in GONE:
                return False
            if wait is None or code not in FOR_NOW:
                raise
            sleep(wait)
        else:
            return True
    raise AssertionError("the last wait is none, so the last error is raised")
