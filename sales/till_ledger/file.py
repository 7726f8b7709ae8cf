"""Opening a ledger without touching it: a copy, its WAL beside it, is what SQLite works on."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from edge_components.edgekit.ledger import Row

MAGIC = b"SQLite format 3\0"
PAGE = 500
_TEXTS = ("kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash", "record")
_COLUMNS = ", ".join(("epoch", "seq", *_TEXTS))
_AS_BYTES = ", ".join(("epoch", "seq", *(f"CAST({name} AS BLOB)" for name in _TEXTS)))
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
        except (*DAMAGE, UnicodeDecodeError) as error:
            self.damage.append(f"the table meta can't be read: {error}")
            return {}

    def dropped(self) -> dict[str, tuple[int, str]]:
        """Per epoch, seq and hash of the last record that retention dropped; a first schema knows none."""
        try:
            rows = self._connection.execute("SELECT epoch, seq, hash FROM dropped")
            return {epoch: (int(seq), str(found)) for epoch, seq, found in rows}
        except (apsw.SQLError, *DAMAGE, ValueError):
            return {}

    def has_epoch(self, epoch: str) -> bool:
        """Whether it holds records of an epoch, or may: damage can hide them."""
        try:
            found = self._connection.execute("SELECT 1 FROM records WHERE epoch = ? LIMIT 1", (epoch,))
            return found.fetchone() is not None
        except DAMAGE:
            return True

    def hash_at(self, epoch: str, seq: int) -> str | None:
        """The hash in a row; None where there is no such row, or none that can be reached."""
        try:
            row = self._connection.execute(
                "SELECT hash FROM records WHERE epoch = ? AND seq = ?", (epoch, seq)
            ).fetchone()
        except (*DAMAGE, UnicodeDecodeError):
            return None
        return str(row[0]) if row else None

    def rows(self) -> Iterator[Row]:
        """Every row that can be reached, in epoch and seq order; around a damaged page, from both sides."""
        reached = ("", 0)
        try:
            for row in self._from(reached):
                reached = (row.epoch, row.seq)
                yield row
        except DAMAGE as error:
            where = f"after epoch {reached[0]} seq {reached[1]}" if reached[0] else "from the beginning"
            self.damage.append(f"the file is damaged {where}: {error}")
            yield from self._beyond(reached)

    def _beyond(self, reached: tuple[str, int]) -> Iterator[Row]:
        """Rows behind the damage: how far they reach down is found from the end."""
        lowest = self._lowest_from_the_end(reached)
        try:
            # A seek to the lowest one would run into the damage beside it; going down to it doesn't.
            first = [row for row in self._down_to(lowest) if (row.epoch, row.seq) > reached]
            yield from reversed(first)
            if first:
                yield from self._from((first[0].epoch, first[0].seq))
        except DAMAGE as error:
            self.damage.append(f"the file is damaged again: {error}")

    def _lowest_from_the_end(self, reached: tuple[str, int]) -> list[tuple[str, int]]:
        """Up to two places, the lowest ones above `reached` that can be reached from the end."""
        lowest: deque[tuple[str, int]] = deque(maxlen=2)
        try:
            for epoch, seq in self._connection.execute(
                "SELECT epoch, seq FROM records ORDER BY epoch DESC, seq DESC"
            ):
                if (epoch, seq) <= reached:
                    break
                lowest.append((str(epoch), int(seq)))
        except DAMAGE:
            return list(lowest)
        return list(lowest)

    def _down_to(self, places: list[tuple[str, int]]) -> list[Row]:
        if not places:
            return []
        sql = f"SELECT {_COLUMNS} FROM records WHERE (epoch, seq) <= (?, ?) ORDER BY epoch DESC, seq DESC LIMIT ?"  # noqa: S608, E501 - constants
        return [Row(*values) for values in self._connection.execute(sql, (*places[0], len(places)))]

    def _from(self, place: tuple[str, int]) -> Iterator[Row]:
        while True:
            count = 0
            for row in self._page(place):  # row by row: what comes before damage is kept
                count += 1
                place = (row.epoch, row.seq)
                yield row
            if count < PAGE:
                return

    def _page(self, place: tuple[str, int]) -> Iterator[Row]:
        """A page's rows; from one in which a text is none any more on, with U+FFFD in such texts."""
        sql = f"SELECT {{}} FROM records WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT {PAGE}"  # noqa: S608 - constants
        try:
            for values in self._connection.execute(sql.format(_COLUMNS), place):
                place = (values[0], values[1])
                yield Row(*values)
        except UnicodeDecodeError:
            for values in self._connection.execute(sql.format(_AS_BYTES), place):
                texts: list[Any] = [
                    one.decode(errors="replace") if isinstance(one, bytes) else one for one in values
                ]
                yield Row(*texts)


@contextmanager
def open_copy(path: Path) -> Iterator[LedgerFile]:
    """A copy of `path` and its WAL, open for reading. Raises LedgerFileError."""
    expect_ledger(path)
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
            advice = f"copy it again from the card, whole, with {path.name}-wal if that is there"
            raise LedgerFileError(f"{path} can't be opened ({error}): {advice}") from error
        try:
            if "records" not in tables:
                raise LedgerFileError(f"{path} is a database, but not a ledger: it has no table records")
            connection.execute("PRAGMA query_only = ON").fetchall()
            yield LedgerFile(connection)
        finally:
            connection.close(force=True)


def expect_ledger(path: Path) -> None:
    """Look at the file's first bytes alone. Raises LedgerFileError for what can't be a ledger."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise LedgerFileError(f"{path} can't be read: {error.strerror}") from error
    wal = path.with_name(path.name + "-wal")
    if magic != MAGIC and not (magic == b"" and wal.exists()):
        raise LedgerFileError(f"{path} is no ledger: it does not begin like a SQLite database")
