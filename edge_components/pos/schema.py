"""The ledger's tables, and the way from each earlier schema to this one.

A migration runs in one transaction with the new version number, so a power cut leaves the old schema or the
new one, never a part. Migrations only add: records are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import apsw

from . import figures
from .errors import NotSellingError

VERSION = 2
_FIRST = """
CREATE TABLE records(
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, sale_id TEXT, receipt_no TEXT,
    business_date TEXT NOT NULL, recorded_at TEXT NOT NULL, hash TEXT NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY(epoch, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX records_by_sale_id ON records(sale_id) WHERE sale_id IS NOT NULL;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
# figures: what was taken since the last day close. reversals: which refunds and voids a sale has had.
# dropped: the last record of an epoch that retention dropped, which the chain goes on from.
_SECOND = """
CREATE TABLE figures(
    business_date TEXT NOT NULL, terminal TEXT NOT NULL, figures TEXT NOT NULL,
    PRIMARY KEY(business_date, terminal)
) WITHOUT ROWID;
CREATE TABLE reversals(
    of_epoch TEXT NOT NULL, of_seq INTEGER NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY(of_epoch, of_seq, epoch, seq)
) WITHOUT ROWID;
CREATE TABLE dropped(epoch TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX records_day_close ON records(business_date) WHERE kind = 'day_close';
"""


def create(connection: apsw.Connection) -> None:
    """Make the tables of the newest schema; the caller's transaction also holds the first record."""
    connection.execute(_FIRST + _SECOND).fetchall()
    set_meta(connection, "schema_version", str(VERSION))


def version(connection: apsw.Connection) -> int:
    """The file's schema; raises NotSellingError for one that this release does not know."""
    found = meta(connection, "schema_version")
    number = int(found) if found and found.isdecimal() else 0
    if not 0 < number <= VERSION:
        text = f"the ledger has schema {found}; this release knows 1 to {VERSION}"
        raise NotSellingError("ledger_closed", text)
    return number


def migrate(connection: apsw.Connection) -> None:
    """Bring an earlier ledger forward, a version at a time."""
    for step in range(version(connection), VERSION):
        with connection:
            _MIGRATIONS[step](connection)
            set_meta(connection, "schema_version", str(step + 1))


def _to_second(connection: apsw.Connection) -> None:
    connection.execute(_SECOND).fetchall()
    newest = connection.execute(
        "SELECT epoch, business_date FROM records ORDER BY epoch DESC, seq DESC LIMIT 1"
    ).fetchone()
    if newest is None:
        return
    epoch, date = newest
    rows = connection.execute(
        "SELECT business_date, record FROM records WHERE epoch = ? ORDER BY seq DESC", (epoch,)
    )
    for business_date, text in rows:
        if business_date != date:
            return
        figures.note(connection, json.loads(text))


_MIGRATIONS: Mapping[int, Callable[[apsw.Connection], None]] = {1: _to_second}


def meta(connection: apsw.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def set_meta(connection: apsw.Connection, key: str, value: str) -> None:
    sql = "INSERT INTO meta(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"
    connection.execute(sql, (key, value)).fetchall()
