"""The ledger's file: opened with the pragmas that durability rests on, checkpointed by pos alone."""

from __future__ import annotations

import ctypes
import re
import shutil
from pathlib import Path

import apsw

from edge_components.edgekit.files import atomic_write, sync_directory

from .errors import DamagedLedgerError, NotSellingError, UncheckedLedgerError

_MAGIC = b"SQLite format 3\0"
_OLDEST_SQLITE = (
    3,
    51,
    3,
)  # 3.7.0 to 3.51.2 have the WAL-reset race (https://sqlite.org/wal.html#walresetbug)
_PRAGMAS = (
    ("journal_mode", "wal"),
    ("synchronous", 2),  # FULL: every commit is synced before it returns
    ("wal_autocheckpoint", 0),
    ("journal_size_limit", 16 * 1024 * 1024),
    ("trusted_schema", 0),
)
BUSY_MILLISECONDS = 10_000
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
_UNREAD_PAGE = re.compile(r"unable to get the page\. error code=([0-9]+)")  # SQLite's words, in btree.c
_PRIMARY = 0xFF  # of an extended result code
_DAMAGED = ".damaged"  # beside a ledger: what the background check found
_SUFFIXES = (_DAMAGED, "-wal", "-shm", "")


def check_library() -> None:
    """Refuse a SQLite with the WAL-reset race."""
    found = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if found < _OLDEST_SQLITE:
        wanted = ".".join(map(str, _OLDEST_SQLITE))
        raise NotSellingError("sqlite_too_old", f"SQLite {apsw.sqlite_lib_version()} is older than {wanted}")


def open_ledger(path: Path) -> apsw.Connection:
    """Open or create the file; DamagedLedgerError when it is none, NotSellingError when it won't open."""
    check_library()
    if path.exists() and not has_header(path):
        raise DamagedLedgerError("the file does not begin like a database")
    try:
        connection = apsw.Connection(str(path))
        _set_pragmas(connection)
    except DAMAGE as error:
        raise DamagedLedgerError(str(error)) from error
    except apsw.Error as error:
        raise NotSellingError("ledger_closed", f"{path} cannot be opened: {error}") from error
    return connection


def has_header(path: Path) -> bool:
    """Whether the file begins like a database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _set_pragmas(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    for name, wanted in _PRAGMAS:
        connection.pragma(name, wanted)
        found = connection.pragma(name)
        if found != wanted:
            raise NotSellingError("ledger_closed", f"the ledger's pragma {name} is {found}, not {wanted}")
    # Keep -wal and -shm in place on close: a reader that may not write here could not make them again.
    on = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(on))


def is_new(connection: apsw.Connection) -> bool:
    """Whether the file holds no ledger yet; DamagedLedgerError when it holds something else."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return True
    if not {"records", "meta"} <= tables:
        raise DamagedLedgerError("the file is a database, but not a ledger")
    return False


def quick_check(connection: apsw.Connection) -> None:
    """SQLite's own look at the whole file; raises DamagedLedgerError with its first finding.

    Raises UncheckedLedgerError where the file could not be read, which SQLite counts among its findings.
    """
    try:
        finding = " ".join(str(connection.pragma("quick_check", 1)).split())
    except DAMAGE as error:
        raise DamagedLedgerError(str(error)) from error
    except apsw.InterruptError:
        raise
    except apsw.Error as error:
        raise UncheckedLedgerError(str(error)) from error
    unread = _UNREAD_PAGE.search(finding)
    if unread and int(unread[1]) & _PRIMARY not in (apsw.SQLITE_CORRUPT, apsw.SQLITE_NOTADB):
        raise UncheckedLedgerError(finding)
    if finding != "ok":
        raise DamagedLedgerError(finding)


def mark_damaged(path: Path, finding: str) -> None:
    """Let the next start know; the mark goes with the file when that is set aside."""
    atomic_write(path.with_name(path.name + _DAMAGED), finding.encode())


def refuse_marked(path: Path) -> None:
    """Raises DamagedLedgerError for a file that was found damaged while it was in use."""
    mark = path.with_name(path.name + _DAMAGED)
    if mark.exists():
        raise DamagedLedgerError(mark.read_text(encoding="utf-8", errors="replace"))


def set_aside(path: Path, folder: Path) -> None:
    """Move the ledger's files into `folder`; what a power cut interrupts can be finished.

    The note is there first: a new ledger must never meet the old one's WAL.
    """
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(_note(path), str(folder).encode())
    finish_setting_aside(path)


def finish_setting_aside(path: Path) -> None:
    """Complete what a power cut interrupted; nothing to do otherwise."""
    note = _note(path)
    if not note.exists():
        return
    folder = Path(note.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in _SUFFIXES:
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.move(source, folder / source.name)
    sync_directory(folder)
    sync_directory(path.parent)
    note.unlink()
    sync_directory(path.parent)


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.setting-aside")
