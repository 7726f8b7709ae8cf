"""Who components run as, and who owns what is theirs."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

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
