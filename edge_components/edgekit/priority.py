"""Who waits when the processor is short: whatever is not selling."""

import logging
import os

BACKGROUND = 10
log = logging.getLogger("priority")


def background(thread: int = 0) -> None:
    """Let selling go first: before this thread, or the one with that native id, and those it starts later.

    Where the system forbids that, as a container's or a unit's filter of calls may, work goes on as it is.
    """
    try:
        there = os.getpriority(os.PRIO_PROCESS, thread)  # a till's owner may have set it lower still
        os.setpriority(os.PRIO_PROCESS, thread, max(BACKGROUND, there))
    except OSError as error:
        log.warning("selling can't be put first here: %s", error.strerror)
