"""Calls to AWS IoT that are refused for now: what was just detached may count as attached for a while."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from infra.cleanup.sweep.attempt import FOR_NOW, GONE, WAITS_SECONDS


def until_done(step: Callable[[], Any], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Do `step`; false when what it is about is gone. Raises ClientError when it is refused too often."""
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
