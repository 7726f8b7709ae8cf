"""What the till's HTTP calls have to work with."""

from __future__ import annotations

from dataclasses import dataclass

from ..access import Access
from ..nucleus import Nucleus
from ..till import Till


@dataclass(frozen=True)
class Context:
    """One till, the nucleus that it runs beside, and who may use it."""

    till: Till
    nucleus: Nucleus
    access: Access
