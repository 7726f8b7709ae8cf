"""Which lines of a program are news to who watches the demo; its log keeps all of them."""

import re
from collections.abc import Callable

from twin.demo.show import Say

CDK = re.compile(r"^(✅|❌)|: (deploying|destroying)\.\.\. \[|_FAILED\b|\berror\b", re.IGNORECASE)
BOOTSTRAP = re.compile(
    r"^(booted|replacing|waiting|done +provisioned|finished|error|.*\bfail)", re.IGNORECASE
)


def only(news: re.Pattern[str], say: Say) -> Say:
    """Say what matches, with its spaces evened out."""

    def heard(line: str) -> None:
        if news.search(line):
            say(" ".join(line.split()))

    return heard


def stages(say: Say) -> Callable[[str], None]:
    """Say what kind of work has begun, once each: a Debian root is made in hundreds of steps."""
    begun: set[str] = set()

    def heard(line: str) -> None:
        kind = line.partition(" ")[0]
        if kind not in begun:
            begun.add(kind)
            say(line)

    return heard
