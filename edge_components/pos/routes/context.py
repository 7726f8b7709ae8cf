"""What the till's HTTP calls have to work with."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.routing import APIRoute
from starlette.requests import Request

from ..access import Access
from ..access.gate import terminal_of
from ..assignment import Assignment
from ..nucleus import Nucleus
from ..printing import Printer
from ..till import Till
from ..validation import Circumstances
from ..validation.limits import minor
from ..validation.live import LiveRules
from .undescribed import UndescribedRoute


@dataclass(frozen=True)
class Context:
    """One till, the nucleus that it runs beside, who may use it, its rules as they are now, its printer."""

    till: Till
    nucleus: Nucleus
    access: Access
    rules: LiveRules
    printer: Printer
    route_class: type[APIRoute] = UndescribedRoute

    def void_alone(self, assignment: Assignment) -> int | None:
        """What a cashier may void without a supervisor, in minor units; None for anything."""
        rules = self.rules.settings.rules
        if not rules.void_needs_supervisor or not self.access.cashiers.any():
            return None
        return minor(rules.max_void_alone, assignment) or 0

    def circumstances(self, request: Request, assignment: Assignment) -> Circumstances:
        """What a basket that arrives now is held against."""
        return self.rules.circumstances(
            assignment, find=self.till.catalogue.finder, paired=terminal_of(request)
        )
