"""Who waits when the processor is short: whatever is not selling."""

import os

BACKGROUND = 10


def background(thread: int = 0) -> None:
    """Let selling go first: before this thread, or the one with that native id, and those it starts later."""
    there = os.getpriority(os.PRIO_PROCESS, thread)  # a till's owner may have set it lower still
    os.setpriority(os.PRIO_PROCESS, thread, max(BACKGROUND, there))
