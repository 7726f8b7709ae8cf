"""Products as head office writes them: one CSV line each, every bad line named at once."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalogue.errors import ProductsError

COLUMNS = ("sku", "description", "department", "unit_price", "tax_code", "sold_by", "barcodes")
SOLD_BY = ("each", "weight")

# The bounds of a line in a sale: what can't be rung up must not be on a shelf.
_TEXTS = {"sku": (1, 64), "description": (1, 200), "department": (0, 64), "tax_code": (0, 16)}
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_BARCODE = re.compile(r"[0-9A-Za-z-]{1,48}")


@dataclass(frozen=True, slots=True)
class Product:
    """`unit_price` is a decimal string in the store's currency, per piece or per unit of weight."""

    sku: str
    description: str
    department: str | None
    unit_price: str
    tax_code: str | None
    sold_by: str
    barcodes: tuple[str, ...] = ()


def read(path: Path) -> list[Product]:
    """The products of a CSV file, by sku. Raises ProductsError naming every line that can't be taken."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _Reader(csv.DictReader(file, strict=True), path.name).products()
    except OSError as error:
        raise ProductsError(path.name, [f"it can't be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ProductsError(
            path.name, [f"byte {error.start} is not UTF-8; save the file as UTF-8"]
        ) from error


def write(path: Path, products: Iterable[Product]) -> int:
    """Write products as `read` takes them; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in products:
            texts = (one.sku, one.description, one.department or "", one.unit_price, one.tax_code or "")
            writer.writerow((*texts, one.sold_by, " ".join(one.barcodes)))
            count += 1
    return count


class _Reader:
    """Goes through all lines before it gives up, so that a file is put right in one go."""

    def __init__(self, rows: "csv.DictReader[str]", source: str) -> None:
        self._rows = rows
        self._source = source
        self._problems: list[str] = []
        self._skus: dict[str, int] = {}
        self._barcodes: dict[str, int] = {}

    def products(self) -> list[Product]:
        self._check_header()
        found = [product for product in self._lines() if product is not None]
        if not found and not self._problems:
            self._problems.append("there is no product in it")
        if self._problems:
            raise ProductsError(self._source, self._problems)
        return sorted(found, key=lambda product: product.sku)

    def _check_header(self) -> None:
        try:
            header = self._rows.fieldnames or ()
        except csv.Error as error:
            raise ProductsError(self._source, [f"line 1: {error}"]) from error
        wrong = [f"line 1: the column {name} is missing" for name in COLUMNS if name not in header]
        wrong += [
            f"line 1: {name!r} is no column; known are {', '.join(COLUMNS)}"
            for name in header
            if name not in COLUMNS
        ]
        wrong += [
            f"line 1: the column {name} is there twice" for name in COLUMNS if list(header).count(name) > 1
        ]
        if wrong:
            raise ProductsError(self._source, wrong)

    def _lines(self) -> Iterator[Product | None]:
        try:
            for row in self._rows:
                yield self._product(self._rows.line_num, row)
        except csv.Error as error:
            self._problems.append(f"line {self._rows.line_num + 1}: {error}; what follows was not read")

    def _product(self, line: int, row: Mapping[str | None, str | list[str] | None]) -> Product | None:
        values = {name: value.strip() for name, value in row.items() if name and isinstance(value, str)}
        problems = ["it has more values than columns"] if None in row else []
        problems += [f"{name} is missing" for name in COLUMNS if name not in values]
        if not problems:
            problems = [*_wrong(values), *self._taken(line, values)]
        self._problems += [f"line {line}: {problem}" for problem in problems]
        if problems:
            return None
        return Product(
            sku=values["sku"],
            description=values["description"],
            department=values["department"] or None,
            unit_price=values["unit_price"],
            tax_code=values["tax_code"] or None,
            sold_by=values["sold_by"],
            barcodes=tuple(sorted(values["barcodes"].split())),
        )

    def _taken(self, line: int, values: Mapping[str, str]) -> Iterator[str]:
        """A code must lead to one product, whichever way it is entered."""
        sku = values["sku"]
        if (other := self._skus.setdefault(sku, line)) != line:
            yield f"sku {sku} is the one of line {other}"
        elif (other := self._barcodes.get(sku, line)) != line:
            yield f"sku {sku} is a barcode in line {other}"
        for barcode in values["barcodes"].split():
            if (other := self._barcodes.setdefault(barcode, line)) != line:
                yield f"barcode {barcode} is the one of line {other}"
            elif (other := self._skus.get(barcode, line)) != line:
                yield f"barcode {barcode} is the sku of line {other}"


def _wrong(values: Mapping[str, str]) -> Iterator[str]:
    for name, (least, most) in _TEXTS.items():
        if not least <= len(values[name]) <= most:
            yield f"{name} has {len(values[name])} characters; allowed are {least} to {most}"
        if any(ord(character) < 32 for character in values[name]):
            yield f"{name} holds a control character"
    if not _PRICE.fullmatch(values["unit_price"]):
        yield f"unit_price is {values['unit_price']!r}, not a price such as 1.99"
    if values["sold_by"] not in SOLD_BY:
        yield f"sold_by is {values['sold_by']!r}, not {' or '.join(SOLD_BY)}"
    barcodes = values["barcodes"].split()
    for barcode in barcodes:
        if not _BARCODE.fullmatch(barcode):
            yield f"{barcode!r} is not a barcode; separate several with a space"
    if len(set(barcodes)) != len(barcodes):
        yield "a barcode is there twice"
