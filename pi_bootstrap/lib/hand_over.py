"""Gives owners and rights to files in folders that components write, at the hands of root.

    python3 -I hand_over.py owner|keep|read FOLDER

owner: what isn't ggc_user's becomes ggc_user's. keep: ggc_user may read and write what is its own.
read: everybody may read.

chmod and chown go by name, and a component can put a link to somebody else's file under a name that was
looked at a moment before. Here a file is opened first, without following links, and what was opened is
changed. Files with a second name elsewhere are left alone: they may be somebody else's.
"""

import grp
import os
import pwd
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

Change = Callable[[str, os.stat_result], None]


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    user, group = pwd.getpwnam("ggc_user").pw_uid, grp.getgrnam("ggc_group").gr_gid

    def owner(opened: str, status: os.stat_result) -> None:
        if status.st_uid != user:
            os.chown(opened, user, group)

    def keep(opened: str, status: os.stat_result) -> None:
        if status.st_uid == user:
            _allow(opened, status, read=stat.S_IRUSR | stat.S_IWUSR, execute=stat.S_IXUSR)

    def read(opened: str, status: os.stat_result) -> None:
        executes = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
        _allow(opened, status, read=stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH, execute=executes)

    change: Change = {"owner": owner, "keep": keep, "read": read}[sys.argv[1]]
    for opened, status in _entries(sys.argv[2], None, os.lstat(sys.argv[2]).st_dev):
        change(opened, status)


def _allow(opened: str, status: os.stat_result, *, read: int, execute: int) -> None:
    """Add rights to the mode: execution only for folders and what somebody may execute already."""
    mode = stat.S_IMODE(status.st_mode)
    wanted = mode | read
    if stat.S_ISDIR(status.st_mode) or mode & 0o111:
        wanted |= execute
    if wanted != mode and not stat.S_ISLNK(status.st_mode):
        Path(opened).chmod(wanted)


def _entries(name: str, within: int | None, device: int) -> Iterator[tuple[str, os.stat_result]]:
    """What lies at `name` and below on one disk, each as a path to what was opened: no rename changes it."""
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=within)
    except FileNotFoundError:  # its owner took it away
        return
    opened = f"/proc/self/fd/{descriptor}"
    try:
        status = os.fstat(descriptor)
        if status.st_dev != device:
            return
        if stat.S_ISDIR(status.st_mode):
            yield opened, status
            yield from _below(opened, device)
        elif status.st_nlink == 1:
            yield opened, status
    finally:
        os.close(descriptor)


def _below(folder: str, device: int) -> Iterator[tuple[str, os.stat_result]]:
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(here) as names:
            for entry in names:
                yield from _entries(entry.name, here, device)
    finally:
        os.close(here)


if __name__ == "__main__":
    main()
