"""A ledger.db as a dead Pi's card holds it: what was committed last is still in the WAL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw

from edge_components.edgekit import record

SCHEMA = """
CREATE TABLE records(epoch TEXT, seq INTEGER, kind TEXT, sale_id TEXT, receipt_no TEXT, business_date TEXT,
    recorded_at TEXT, hash TEXT, record TEXT, PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
CREATE UNIQUE INDEX records_by_sale_id ON records(sale_id) WHERE sale_id IS NOT NULL;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
COLUMNS = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")


def write_ledger(path: Path, records: Iterable[dict[str, Any]], *, in_wal: int = 3) -> Path:
    """Write `records`, the last `in_wal` of them to the WAL only, and leave the files as a power cut does."""
    held = list(records)
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").fetchall()
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute(SCHEMA).fetchall()
    meta = (("schema_version", "1"), ("thing", held[0]["thing"]))
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta).fetchall()
    before = len(held) - in_wal
    _insert(connection, held[:before])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    _insert(connection, held[before:])
    wal = path.with_name(path.name + "-wal")
    kept = wal.read_bytes() if wal.exists() else b""
    connection.close()
    if kept:
        wal.write_bytes(kept)
    return path


def _insert(connection: apsw.Connection, records: list[dict[str, Any]]) -> None:
    with connection:
        for content in records:
            values = (*(content[name] for name in COLUMNS), record.canonical(content).decode())
            connection.execute("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?)", values)


def alter(path: Path, epoch: str, seq: int, sql: str) -> None:
    """Change one row behind the ledger's back, such as `record = replace(record, '500', '900')`."""
    connection = apsw.Connection(str(path))
    connection.execute(f"UPDATE records SET {sql} WHERE epoch = ? AND seq = ?", (epoch, seq)).fetchall()  # noqa: S608 - a test's own
    assert connection.changes() == 1
    connection.close()
