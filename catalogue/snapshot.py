"""A snapshot: the SQLite file that a till carries, with words to search by."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from catalogue.products import Product

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE items(
    sku TEXT PRIMARY KEY, description TEXT, department TEXT, unit_price TEXT, tax_code TEXT, sold_by TEXT);
CREATE TABLE barcodes(barcode TEXT PRIMARY KEY, sku TEXT) WITHOUT ROWID;
CREATE INDEX barcodes_by_sku ON barcodes(sku);
CREATE INDEX items_by_department ON items(department);
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    text, content = '', tokenize = "unicode61 remove_diacritics 2", prefix = '2 3 4');
"""


@dataclass(frozen=True)
class Version:
    """`<time>-<first 8 of the content's digest>`; the same products have the same digest."""

    made_at: datetime
    content: str

    def __str__(self) -> str:
        return f"{self.made_at:%Y%m%dT%H%M%SZ}-{self.content[:8]}"


def content_digest(products: Iterable[Product], currency: str) -> str:
    """SHA-256 over the products, which come by sku, and what their prices are in."""
    digest = hashlib.sha256(f"{currency}\n".encode())
    for one in products:
        values = [one.sku, one.description, one.department, one.unit_price, one.tax_code, one.sold_by]
        digest.update(json.dumps([*values, one.barcodes], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def build(path: Path, products: Sequence[Product]) -> None:
    """Write the part of a snapshot that all stores share; the same products give the same bytes."""
    path.unlink(missing_ok=True)
    connection = apsw.Connection(str(path))
    try:
        connection.pragma("journal_mode", "off")
        connection.pragma("synchronous", 0)
        connection.pragma("user_version", SCHEMA_VERSION)
        with connection:
            connection.execute(_SCHEMA).fetchall()
            _fill(connection, products)
        connection.execute("INSERT INTO words(words) VALUES('optimize')").fetchall()
    finally:
        connection.close()


def _fill(connection: apsw.Connection, products: Sequence[Product]) -> None:
    """Rows in the order in which they are found: a search ends as soon as it has enough of them."""
    in_order = sorted(products, key=lambda one: (one.description.casefold(), one.sku))
    connection.executemany(
        "INSERT INTO items(rowid, sku, description, department, unit_price, tax_code, sold_by)"
        " VALUES(?, ?, ?, ?, ?, ?, ?)",
        (
            (row, one.sku, one.description, one.department, one.unit_price, one.tax_code, one.sold_by)
            for row, one in enumerate(in_order, 1)
        ),
    ).fetchall()
    connection.executemany(
        "INSERT INTO barcodes VALUES(?, ?)",
        ((barcode, one.sku) for one in in_order for barcode in one.barcodes),
    ).fetchall()
    connection.executemany(
        "INSERT INTO words(rowid, text) VALUES(?, ?)",
        (
            (row, " ".join((one.description, one.department or "", one.sku, *one.barcodes)))
            for row, one in enumerate(in_order, 1)
        ),
    ).fetchall()


def stamp(path: Path, version: Version, store: str, currency: str) -> None:
    """Say in a copy of what `build` wrote whose it is."""
    connection = apsw.Connection(str(path))
    try:
        connection.pragma("journal_mode", "off")
        with connection:
            connection.executemany(
                "INSERT INTO meta VALUES(?, ?)",
                (("version", str(version)), ("store", store), ("currency", currency)),
            ).fetchall()
    finally:
        connection.close()
