"""A file of products is taken whole or not at all, and says everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import demo, products
from catalogue.errors import ProductsError
from catalogue.products import COLUMNS, Product
from tests.catalogue.conftest import product

HEADER = ",".join(COLUMNS)


def problems(path: Path, *lines: str, header: str = HEADER) -> list[str]:
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    with pytest.raises(ProductsError) as raised:
        products.read(path)
    return list(raised.value.problems)


def test_a_line_becomes_a_product(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text(
        f"\ufeff{HEADER}\n"
        '2,"Bananas, loose",Produce,0.69,F,weight,4011 94011\n'
        "1001,Whole milk,,3.89,,each,\n",
        encoding="utf-8",
    )
    assert products.read(path) == [
        Product("1001", "Whole milk", None, "3.89", None, "each", ()),
        Product("2", "Bananas, loose", "Produce", "0.69", "F", "weight", ("4011", "94011")),
    ]


def test_every_bad_line_is_named_with_everything_that_is_wrong_with_it(tmp_path: Path) -> None:
    found = problems(
        tmp_path / "products.csv",
        "1,Milk,Dairy,3.89,F,each,",
        "1,Milk again,Dairy,3.89,F,each,",
        ",No sku,Dairy,free,F,box,",
        "4,Cheese,Dairy,-1,F,each,40 40",
        "5,Butter,Dairy,1e2,F,each,§",
        "6,Short,Dairy",
        "7,Long,Dairy,1.00,F,each,,more",
        "8,Eggs,Dairy,1.00,F,each,123",
        "9,Other eggs,Dairy,1.00,F,each,123",
        "123,A sku that is a barcode,Dairy,1.00,F,each,",
        "10,A barcode that is a sku,Dairy,1.00,F,each,8",
    )
    assert found == [
        "line 3: sku 1 is the one of line 2",
        "line 4: sku has 0 characters; allowed are 1 to 64",
        "line 4: unit_price is 'free', not a price such as 1.99",
        "line 4: sold_by is 'box', not each or weight",
        "line 5: unit_price is '-1', not a price such as 1.99",
        "line 5: a barcode is there twice",
        "line 6: unit_price is '1e2', not a price such as 1.99",
        "line 6: '§' is not a barcode; separate several with a space",
        "line 7: unit_price is missing",
        "line 7: tax_code is missing",
        "line 7: sold_by is missing",
        "line 7: barcodes is missing",
        "line 8: it has more values than columns",
        "line 10: barcode 123 is the one of line 9",
        "line 11: sku 123 is a barcode in line 9",
        "line 12: barcode 8 is the sku of line 9",
    ]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("sku,description", "line 1: the column unit_price is missing"),
        (f"{HEADER},colour", "line 1: 'colour' is no column; known are " + ", ".join(COLUMNS)),
        (f"{HEADER},sku", "line 1: the column sku is there twice"),
    ],
)
def test_a_wrong_header_is_told_before_its_lines(tmp_path: Path, header: str, said: str) -> None:
    assert said in problems(tmp_path / "products.csv", "1,Milk", header=header)


def test_a_file_that_is_no_csv_says_where(tmp_path: Path) -> None:
    (said,) = problems(tmp_path / "products.csv", "1,Milk,Dairy,1.00,F,each,", '2,"open,Dairy,1.00,F,each,')
    assert said.startswith("line 3: ")


def test_a_file_without_products_or_in_another_encoding_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path / "products.csv") == ["there is no product in it"]
    (tmp_path / "latin.csv").write_bytes(f"{HEADER}\n1,Cr\xe8me,,1.00,F,each,\n".encode("latin-1"))
    with pytest.raises(ProductsError) as raised:
        products.read(tmp_path / "latin.csv")
    assert "is not UTF-8" in raised.value.problems[0]
    with pytest.raises(ProductsError) as raised:
        products.read(tmp_path / "absent.csv")
    assert raised.value.problems == ("it can't be read: No such file or directory",)


NAMES = (
    st.text("abc dé,\"'\n;é漢", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: text and "\n" not in text)
)


@given(descriptions=st.lists(NAMES, min_size=1, max_size=8))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, descriptions: list[str]
) -> None:
    path = tmp_path_factory.mktemp("products") / "products.csv"
    made = [
        product(f"{number:03d}", description=text, barcodes=(f"b{number}", f"c{number}"))
        for number, text in enumerate(descriptions)
    ]
    assert products.write(path, made) == len(made)
    assert products.read(path) == made


def test_the_demos_products_are_real_ones_and_can_be_published(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    count = products.write(path, demo.products(367))
    found = {one.sku: one for one in products.read(path)}
    assert len(found) == count > 10_000
    milk = found["1029743"]  # the product that this store sold most often
    assert (milk.department, milk.sold_by, milk.tax_code) == ("GROCERY", "each", "F")
    assert "MILK" in milk.description
    (barcode,) = milk.barcodes
    weights = [1, 3] * 6 + [1]
    assert sum(int(digit) * weight for digit, weight in zip(barcode, weights, strict=True)) % 10 == 0
