"""The command line publishes what is right, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from catalogue.publish import latest
from greentill.__main__ import build
from greentill.console import CommandError
from tests.catalogue.conftest import BUCKET

HEADER = "sku,description,department,unit_price,tax_code,sold_by,barcodes\n"


def run(*words: str) -> Any:
    return CliRunner().invoke(build(), ["catalogue", *words])


@pytest.fixture
def products(tmp_path: Path) -> Path:
    path = tmp_path / "products.csv"
    path.write_text(f"{HEADER}1001,Milk,Dairy,3.89,F,each,\n2001,Bread,Bakery,5.50,F,each,\n")
    return path


def test_stores_get_what_is_published_and_status_tells(s3: Any, products: Path) -> None:
    answer = run("publish", str(products), "--store", "ST-367", "--json")
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert (document["products"], document["stores"][0]["changed"]) == (2, True)
    told = {one["store"]: one["version"] for one in json.loads(run("status", "--json").stdout)}
    assert told == {"ST-367": document["stores"][0]["version"], "ST-406": None}
    again = json.loads(run("publish", str(products), "--all-stores", "--json").stdout)
    assert {one["store"]: one["changed"] for one in again["stores"]} == {"ST-367": False, "ST-406": True}
    assert "none yet" not in run("status").stdout


def test_a_dry_run_publishes_nothing(s3: Any, products: Path) -> None:
    assert "would be published" in run("publish", str(products), "--all-stores", "--dry-run").stdout
    assert latest(s3, BUCKET, "ST-367") is None


def test_every_bad_line_is_printed_and_nothing_is_published(s3: Any, products: Path) -> None:
    products.write_text(f"{HEADER},Milk,Dairy,3.89,F,each,\n2001,Bread,Bakery,cheap,F,each,\n")
    answer = run("publish", str(products), "--store", "ST-367")
    assert isinstance(answer.exception, CommandError)
    assert str(answer.exception) == "products.csv has 2 problems; nothing was published"
    assert "line 2: sku has 0 characters" in answer.output
    assert "line 3: unit_price is 'cheap'" in answer.output
    assert (
        len(json.loads(run("publish", str(products), "--store", "ST-367", "--json").stdout)["problems"]) == 2
    )
    assert latest(s3, BUCKET, "ST-367") is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name stores with --store"),
        (("--store", "ST-367", "--all-stores"), "name stores with --store"),
        (("--store", "ST-1"), "fleet.toml has no store ST-1; known are ST-367, ST-406"),
    ],
)
def test_stores_are_named_as_they_are_in_fleet_toml(
    s3: Any, products: Path, words: tuple[str, ...], said: str
) -> None:
    answer = run("publish", str(products), *words)
    assert said in str(answer.exception)


def test_the_demos_products_can_be_published(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "demo.csv"
    made = json.loads(run("demo-products", str(path), "--store", "367", "--json").stdout)
    answer = json.loads(run("publish", str(path), "--store", "ST-367", "--dry-run", "--json").stdout)
    assert answer["products"] == made["products"]
    before = path.read_bytes()
    assert "no store 1" in str(run("demo-products", str(path), "--store", "1").exception)
    assert path.read_bytes() == before
