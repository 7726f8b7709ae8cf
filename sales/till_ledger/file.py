"""Opening a ledger without touching it: a copy, its WAL beside it, is what SQLite works on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from edge_components.edgekit.ledger import Row

MAGIC = b"SQLite format 3\0"
PAGE = 500
_COLUMNS = "epoch, seq, kind, sale_id, receipt_no, business_date, recorded_at, hash, record"
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.FullError, apsw.FormatError)


class LedgerFileError(Exception):
    """What is named is no ledger, or can't be read at all; the text says what to do."""


class LedgerFile:
    """A ledger that nobody writes any more. Reading past damage is possible; what damage hides is lost."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.damage: list[str] = []

    def quick_check(self) -> list[str]:
        """SQLite's own findings, at most 20; none for a whole file."""
        try:
            found = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check(20)")]
        except DAMAGE as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    def meta(self) -> dict[str, str]:
        try:
            return dict(self._connection.execute("SELECT key, value FROM meta"))
        except DAMAGE as error:
            self.damage.append(f"the table meta can't be read: {error}")
            return {}

    def rows(self) -> Iterator[Row]:
        """Every row that can be reached, in epoch and seq order; around a damaged page, from both sides."""
        reached = ("", 0)
        try:
            for row in self._from(reached, inclusive=False):
                reached = (row.epoch, row.seq)
                yield row
        except DAMAGE as error:
            where = f"after epoch {reached[0]} seq {reached[1]}" if reached[0] else "from the beginning"
            self.damage.append(f"the file is damaged {where}: {error}")
            beyond = self._first_beyond(reached)
            if beyond is not None:
                yield from self._until_damage(beyond)

    def _until_damage(self, place: tuple[str, int]) -> Iterator[Row]:
        try:
            yield from self._from(place, inclusive=True)
        except DAMAGE as error:
            self.damage.append(f"the file is damaged again, beyond epoch {place[0]} seq {place[1]}: {error}")

    def _from(self, place: tuple[str, int], *, inclusive: bool) -> Iterator[Row]:
        while True:
            relation = ">=" if inclusive else ">"
            sql = f"SELECT {_COLUMNS} FROM records WHERE (epoch, seq) {relation} (?, ?) ORDER BY epoch, seq LIMIT {PAGE}"  # noqa: S608, E501 - constants
            count = 0
            for values in self._connection.execute(
                sql, place
            ):  # row by row: what comes before damage is kept
                row = Row(*values)
                count += 1
                place, inclusive = (row.epoch, row.seq), False
                yield row
            if count < PAGE:
                return

    def _first_beyond(self, reached: tuple[str, int]) -> tuple[str, int] | None:
        """The lowest place that can be reached from the end, above `reached`."""
        lowest = None
        try:
            for epoch, seq in self._connection.execute(
                "SELECT epoch, seq FROM records ORDER BY epoch DESC, seq DESC"
            ):
                if (epoch, seq) <= reached:
                    break
                lowest = (str(epoch), int(seq))
        except DAMAGE:
            return lowest
        return lowest


@contextmanager
def open_copy(path: Path) -> Iterator[LedgerFile]:
    """A copy of `path` and its WAL, open for reading. Raises LedgerFileError."""
    _begins_like_a_ledger(path)
    with tempfile.TemporaryDirectory(prefix="greentill-ledger-") as folder:
        copy = Path(folder) / "ledger.db"
        try:
            for suffix in ("", "-wal"):  # never -shm: it is made anew from the WAL
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + suffix))
        except OSError as error:
            raise LedgerFileError(f"{path} can't be copied ({error}); is there room in {folder}?") from error
        try:
            connection = apsw.Connection(str(copy))
            tables = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            }
        except (apsw.Error, UnicodeDecodeError) as error:
            raise LedgerFileError(f"{path} can't be opened: {error}") from error
        try:
            if "records" not in tables:
                raise LedgerFileError(f"{path} is a database, but not a ledger: it has no table records")
            connection.execute("PRAGMA query_only = ON").fetchall()
            yield LedgerFile(connection)
        finally:
            connection.close(force=True)


def _begins_like_a_ledger(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise LedgerFileError(f"{path} can't be read: {error.strerror}") from error
    wal = path.with_name(path.name + "-wal")
    if magic != MAGIC and not (magic == b"" and wal.exists()):
        raise LedgerFileError(f"{path} is no ledger: it does not begin like a SQLite database")
