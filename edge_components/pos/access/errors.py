"""Why somebody is not let in. `status` is the HTTP status that says so."""

from __future__ import annotations


class AccessRefusedError(Exception):
    """Not let in; the message is for the person who tried."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after  # seconds


class AuthorityError(Exception):
    """The till's own certificate authority cannot be made or used."""
