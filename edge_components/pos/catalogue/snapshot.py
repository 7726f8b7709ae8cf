"""One snapshot: a SQLite file that never changes, opened read-only."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

SCHEMA_VERSION = 1
MOST_WORDS = 8  # of a query; the rest narrows nothing that a person would still read
_CACHE_KIB = 1_024
_WORD = re.compile(r"[^\W_]+")
_PRICE = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_ITEM = "items.sku, items.description, items.department, items.unit_price, items.tax_code, items.sold_by"
_BY_WORDS = f"""
    SELECT {_ITEM} FROM words JOIN items ON items.rowid = words.rowid
    WHERE words MATCH ? AND (?2 IS NULL OR items.department = ?2) ORDER BY words.rowid LIMIT ?"""  # noqa: S608 - constant columns
_BY_DEPARTMENT = f"""
    SELECT {_ITEM} FROM items WHERE (?1 IS NULL OR department = ?1) ORDER BY rowid LIMIT ?2"""  # noqa: S608
_BY_SKU = f"SELECT {_ITEM} FROM items WHERE sku = ?"  # noqa: S608
_BY_BARCODE = f"SELECT {_ITEM} FROM barcodes JOIN items USING(sku) WHERE barcode = ?"  # noqa: S608


class DamagedSnapshotError(Exception):
    """The file is not the snapshot that it should be, or can't be read."""


@dataclass(frozen=True, slots=True)
class Item:
    """A product; `unit_price` is a decimal string, per piece or per unit of weight (`sold_by`)."""

    sku: str
    barcodes: tuple[str, ...]
    description: str
    department: str | None
    unit_price: str
    tax_code: str | None
    sold_by: str


class Snapshot:
    """Used from any thread. Every call raises DamagedSnapshotError when the file can't be read."""

    def __init__(self, path: Path, version: str) -> None:
        self.version = version
        self._lock = threading.Lock()
        try:
            self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.Error as error:
            raise DamagedSnapshotError(f"{path} can't be opened: {error}") from error
        try:
            self._check(path)
        except BaseException:
            self.close()
            raise

    def find(self, code: str) -> Item | None:
        """The product with this sku or barcode."""
        for sql, key in ((_BY_SKU, code), *((_BY_BARCODE, form) for form in forms(code))):
            if found := self._items(sql, (key,)):
                return found[0]
        return None

    def search(self, query: str, department: str | None, limit: int) -> list[Item]:
        """Products that have every word of `query`, or words that begin so, by description.

        Words are of description, department, sku and barcodes, without regard to case and accents.
        """
        words = _WORD.findall(unicodedata.normalize("NFC", query))[:MOST_WORDS]
        if words:
            match = " ".join(f'"{word}"*' for word in words)
            return self._items(_BY_WORDS, (match, department, limit))
        return [] if query.strip() else self._items(_BY_DEPARTMENT, (department, limit))

    def close(self) -> None:
        with self._lock:
            self._connection.close(force=True)

    def _check(self, path: Path) -> None:
        self._all(f"PRAGMA cache_size = -{_CACHE_KIB}", ())
        ((schema,),) = self._all("PRAGMA user_version", ())
        if schema != SCHEMA_VERSION:
            raise DamagedSnapshotError(f"{path} has schema {schema}; this version reads {SCHEMA_VERSION}")
        ((finding,),) = self._all("PRAGMA quick_check(1)", ())
        if finding != "ok":
            raise DamagedSnapshotError(f"{path} is damaged: {finding}")
        found = dict(self._all("SELECT key, value FROM meta", ()))
        if found.get("version") != self.version:
            raise DamagedSnapshotError(f"{path} holds version {found.get('version')}, not {self.version}")

    def _items(self, sql: str, bindings: tuple[Any, ...]) -> list[Item]:
        found = [Item(sku, self._barcodes(sku), *rest) for sku, *rest in self._all(sql, bindings)]
        for item in found:
            if not _PRICE.fullmatch(str(item.unit_price)):
                raise DamagedSnapshotError(f"version {self.version}: {item.unit_price!r} is no price")
        return found

    def _barcodes(self, sku: str) -> tuple[str, ...]:
        rows = self._all("SELECT barcode FROM barcodes WHERE sku = ? ORDER BY barcode", (sku,))
        return tuple(barcode for (barcode,) in rows)

    def _all(self, sql: str, bindings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return list(self._connection.execute(sql, bindings))
            except (apsw.Error, UnicodeDecodeError) as error:  # a changed bit can make a text none any more
                raise DamagedSnapshotError(f"version {self.version} can't be read: {error}") from error


def forms(code: str) -> Iterable[str]:
    """How a barcode may be written: a scanner may read the 12 digits of a UPC as an EAN with a 0 before."""
    yield code
    if code.isascii() and code.isdigit():
        if len(code) == 12:
            yield f"0{code}"
        elif len(code) == 13 and code.startswith("0"):
            yield code[1:]
