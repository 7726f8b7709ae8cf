"""What the till's HTTP calls have to work with."""

from __future__ import annotations

from dataclasses import dataclass

from ..nucleus import Nucleus
from ..till import Till


@dataclass(frozen=True)
class Context:
    """One till, and the nucleus that it runs beside."""

    till: Till
    nucleus: Nucleus
