"""Keys that can be read back, and money that never loses a cent."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_components.edgekit import keys, money

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/money.json").read_text(encoding="utf-8"))
HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize("vector", VECTORS["line_total"], ids=str)
def test_a_line_total_is_rounded_half_up(vector):
    found = money.line_total(vector["quantity"], vector["scale"], vector["unit_price"], vector["exponent"])
    assert found == vector["total"]


@pytest.mark.parametrize("vector", VECTORS["tax"], ids=str)
def test_tax_is_taken_once_on_the_sum(vector):
    found = money.tax(vector["amount"], vector["rate"], included=vector["included"])
    assert (found.base, found.tax) == (vector["base"], vector["tax"])


@pytest.mark.parametrize("vector", VECTORS["share"], ids=str)
def test_a_discount_is_spread_by_largest_remainder(vector):
    assert money.share(vector["amount"], vector["weights"]) == vector["parts"]


weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=200).filter(any)


@given(st.integers(-(10**12), 10**12), weights)
def test_shares_always_sum_to_the_amount_and_stray_less_than_one_unit(amount, parts):
    shares = money.share(amount, parts)
    assert sum(shares) == amount
    assert all(
        abs(share * sum(parts) - amount * part) < sum(parts)
        for share, part in zip(shares, parts, strict=True)
    )


@given(st.integers(-(10**9), 10**9), st.integers(0, 6), st.decimals(0, 10**6, places=4))
def test_a_refund_takes_back_exactly_what_the_sale_took(quantity, scale, price):
    sale = money.line_total(quantity, scale, f"{price:f}", 2)
    assert money.line_total(-quantity, scale, f"{price:f}", 2) == -sale


@pytest.mark.parametrize("text", ["", "1e3", "NaN", "1.", ".5", "1,5", " 1", "0x1", "٣"])
def test_only_plain_decimals_are_prices(text):
    with pytest.raises(money.MoneyError):
        money.decimal(text)


@pytest.mark.parametrize("parts", [[], [0, 0], [2, -1]])
def test_nothing_is_spread_over_nothing(parts):
    with pytest.raises((money.MoneyError, ValueError)):
        money.share(5, parts)


def test_minor_units_follow_the_currency():
    assert [money.minor_units("12.345", exponent) for exponent in (0, 2, 3)] == [12, 1235, 12345]


def test_a_sort_key_has_its_documented_form_and_reads_back():
    key = keys.sort_key("1a1fdce61cc15086", 42, HASH)
    assert key == "1a1fdce61cc15086#000000000042#01234567"
    assert keys.parse_sort_key(key) == keys.SortKey("1a1fdce61cc15086", 42, "01234567")


@given(st.integers(1, 10**12 - 2))
def test_sort_keys_sort_as_numbers_do(seq):
    assert keys.sort_key("a" * 16, seq, HASH) < keys.sort_key("a" * 16, seq + 1, "0" * 64)


def test_a_segment_key_has_its_documented_form_and_reads_back():
    key = keys.segment_key("2026-11-21", "greentill-X", "a" * 16, first=7, last=12, last_hash=HASH)
    assert key == (
        "sales/date=2026-11-21/till=greentill-X/aaaaaaaaaaaaaaaa-000000000007-000000000012-01234567.jsonl.gz"
    )
    assert keys.parse_segment_key(key) == keys.Segment(
        "2026-11-21", "greentill-X", "a" * 16, 7, 12, "01234567"
    )


@pytest.mark.parametrize(
    "text",
    [
        "head",
        "a#1#b",
        "sales/date=2026-11-21/till=../x/aaaaaaaaaaaaaaaa-000000000007-000000000012-01234567.jsonl.gz",
        "sales/date=2026-11-21/till=x/aaaaaaaaaaaaaaaa-000000000012-000000000007-01234567.jsonl.gz",
        "sales/date=2026-11-21/till=x/aaaaaaaaaaaaaaaa-000000000007-000000000012-01234567.jsonl.gz\n",
    ],
)
def test_what_is_no_key_of_ours_is_not_taken_for_one(text):
    for parse in (keys.parse_sort_key, keys.parse_segment_key):
        with pytest.raises(keys.KeyFormatError):
            parse(text)


def test_no_key_is_made_that_could_not_be_read_back():
    with pytest.raises(keys.KeyFormatError):
        keys.sort_key("a" * 16, 10**12, HASH)
    with pytest.raises(keys.KeyFormatError):
        keys.segment_key("2026-11-21", "a/b", "a" * 16, first=1, last=2, last_hash=HASH)
    with pytest.raises(keys.KeyFormatError):
        keys.segment_key("2026-11-21", "a", "a" * 16, first=3, last=2, last_hash=HASH)


@given(
    st.integers(-(10**9), 10**9),
    st.integers(0, 6),
    st.from_regex(r"-?[0-9]{1,6}(\.[0-9]{1,6})?", fullmatch=True),
    st.integers(0, 4),
)
def test_a_line_total_is_the_exact_product_rounded_once(quantity, scale, unit_price, exponent):
    exact = Fraction(quantity, 10**scale) * Fraction(unit_price) * 10**exponent
    assert money.line_total(quantity, scale, unit_price, exponent) == money.half_up(exact)


def test_a_price_that_is_no_decimal_number_is_refused():
    for text in ("1e3", "", "1.", ".5", "NaN"):
        with pytest.raises(money.MoneyError):
            money.line_total(1, 0, text, 2)
