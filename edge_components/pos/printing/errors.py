"""Why a receipt did not come out."""

from __future__ import annotations


class PrinterError(Exception):
    """A code for programs, and a sentence that says what to do; nothing is tried again by itself."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
