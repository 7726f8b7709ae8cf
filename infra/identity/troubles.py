"""What could not be done for single tills, in a call that looks at many."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError


class TroubleError(Exception):
    """Something could not be done for some tills; the call counts as failed, so that somebody looks."""


class Troubles:
    """One till that makes trouble at every look keeps no other waiting. `also`: errors beside the SDK's."""

    def __init__(self, *also: type[Exception]) -> None:
        self._errors = (ClientError, BotoCoreError, *also)
        self._told: list[str] = []

    @contextmanager
    def about(self, thing: str) -> Iterator[None]:
        """What fails for one till is told at the end."""
        try:
            yield
        except self._errors as error:
            self._told.append(f"{thing}: {type(error).__name__}: {error}")

    def tell(self, outcome: str) -> None:
        """Raises TroubleError, beside what was done all the same, when there were any."""
        if self._told:
            raise TroubleError(f"{outcome}, but not for all: {'; '.join(self._told)}")
