"""Who may use the till: cashiers by PIN, terminals by token, and TLS for those on the shop's network."""

from __future__ import annotations

from .access import Access

__all__ = ["Access"]
