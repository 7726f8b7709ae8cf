"""Who components run as, and who owns what is theirs."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import CoreError


@dataclass(frozen=True, slots=True)
class Account:
    """A POSIX user with the group that components run under."""

    name: str
    uid: int
    gid: int
    home: str

    def process(self) -> dict[str, object]:
        """Arguments for a subprocess that runs as this account."""
        if os.geteuid() != 0:
            return {}  # without root there is only one user
        return {"user": self.uid, "group": self.gid, "extra_groups": os.getgrouplist(self.name, self.gid)}


ROOT = Account("root", 0, 0, "/root")


def find(user_and_group: str) -> Account:
    """`user:group` by name; raises CoreError when one doesn't exist."""
    user, _, group = user_and_group.partition(":")
    try:
        entry = pwd.getpwnam(user)
        gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    except KeyError as error:
        raise CoreError(f"components should run as {user_and_group}, which doesn't exist: {error}") from error
    return Account(user, entry.pw_uid, gid, entry.pw_dir)


def give(account: Account, work: Path, packages: Iterable[Path]) -> None:
    """The work folder and all that is in it and in the packages becomes the account's.

    As the nucleus does before a component's first step; the packages' own folders stay root's.
    """
    if os.geteuid() != 0:
        return
    below = (path for folder in (work, *packages) for path in folder.rglob("*"))
    for path in (work, *below):
        with suppress(FileNotFoundError):  # what a process that was left behind has just removed
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


async def refusal(sudo: str, account: Account) -> str | None:
    """What sudo says against running as the account; None when it doesn't, or needn't be asked.

    The nucleus starts every step of another user through sudo. A core that did so too would have to end
    sudo's own processes; so it asks first, and starts the step itself.
    """
    if not sudo or account.uid == os.geteuid():
        return None
    command = (sudo, "-n", "-E", "-H", "-u", account.name, "-g", f"#{account.gid}", "--", "true")
    pipe = asyncio.subprocess.PIPE
    try:
        asked = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stderr=pipe)
    except OSError as error:
        return f"{sudo}: {error.strerror}"
    _, said = await asked.communicate()
    return None if asked.returncode == 0 else said.decode(errors="replace").strip() or "sudo refuses"
