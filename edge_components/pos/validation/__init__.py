"""Which rules a basket breaks: all at once, in codes for programs and words for cashiers."""

from __future__ import annotations

from .checks import broken
from .circumstances import Circumstances, Item
from .settings import RuleSettings

__all__ = ["Circumstances", "Item", "RuleSettings", "broken"]
