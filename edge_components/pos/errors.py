"""What can keep a till from selling, and what can be wrong with its ledger."""

from __future__ import annotations


class NotSellingError(Exception):
    """The till cannot record a sale now. `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DamagedLedgerError(Exception):
    """The ledger's file or chain does not hold; it is set aside and a new epoch begins."""


class UncheckedLedgerError(Exception):
    """The ledger's file could not be looked at: busy, or the disk gave no answer. That says nothing of it."""
