"""A till finds what it sells, sells on whatever befalls its catalogue, and says which one it sold by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalogue.products import Product
from catalogue.snapshot import Version, build, content_digest, stamp
from edge_components.edgekit.files import write_json
from edge_components.pos.catalogue import Catalogue, DamagedSnapshotError, Snapshot
from tests.catalogue.conftest import NOON, product
from tests.pos.pos_process import Pos, sale
from tests.waiting import wait_for

GOODS = (
    product("1001", description="Whole milk 1 gal", barcodes=("0070000012345", "milk-1")),
    product("1002", description="Crème fraîche", unit_price="2.49"),
    product("2001", description="Milk chocolate", department="Sweets", tax_code="A"),
    product("4011", description="Bananas", department="Produce", sold_by="weight", barcodes=("94011",)),
    product("5001", description="Soap", department=None, tax_code=None),
)


class Shelf:
    """The folder as sync leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._minute = 0

    def put(self, *goods: Product) -> str:
        version = self.add(*goods)
        self.name(version)
        return version

    def add(self, *goods: Product) -> str:
        self._minute += 1
        version = Version(NOON.replace(minute=self._minute), content_digest(goods, "USD"))
        path = self.folder / f"{version}.sqlite"
        build(path, goods)
        stamp(path, version, "ST-367", "USD")
        return str(version)

    def name(self, version: str) -> None:
        write_json(self.folder / "current.json", {"version": version, "file": f"{version}.sqlite"})

    def damage(self, version: str) -> None:
        """As a dying card does it: in place, under whoever has the file open."""
        path = self.folder / f"{version}.sqlite"
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "data" / "catalogue")


@pytest.fixture
def catalogue(shelf: Shelf) -> Iterator[Catalogue]:
    found = Catalogue(shelf.folder)
    yield found
    found.close()


def skus(catalogue: Catalogue, query: str = "", department: str | None = None, limit: int = 50) -> list[str]:
    return [item.sku for item in catalogue.search(query, department, limit)[1]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("milk", ["2001", "1001"]),
        ("MILK who", ["1001"]),
        ("cho mil", ["2001"]),
        ("creme frai", ["1002"]),
        ("Crème", ["1002"]),
        ("dairy", ["1002", "1001"]),
        ("1001", ["1001"]),
        ("007000001", ["1001"]),
        ("milk gin", []),
        ("!?", []),
        ('milk" OR "soap', []),
        ("", ["4011", "1002", "2001", "5001", "1001"]),
    ],
)
def test_products_are_found_by_words_beginnings_and_codes_without_regard_to_case_and_accents(
    shelf: Shelf, catalogue: Catalogue, query: str, found: list[str]
) -> None:
    shelf.put(*GOODS)
    catalogue.look()
    assert skus(catalogue, query) == found


def test_a_search_can_stay_in_a_department_and_ends_at_its_limit(shelf: Shelf, catalogue: Catalogue) -> None:
    shelf.put(*GOODS)
    catalogue.look()
    assert skus(catalogue, "milk", "Sweets") == ["2001"]
    assert skus(catalogue, "", "Dairy") == ["1002", "1001"]
    assert skus(catalogue, "", "Dairy", limit=1) == ["1002"]
    assert skus(catalogue, "milk", "Nowhere") == []


@pytest.mark.parametrize("code", ["1001", "milk-1", "0070000012345", "070000012345"])
def test_a_product_is_found_by_sku_and_by_barcode_however_the_scanner_writes_it(
    shelf: Shelf, catalogue: Catalogue, code: str
) -> None:
    shelf.put(*GOODS)
    catalogue.look()
    item = catalogue.find(code)
    assert item is not None
    assert (item.sku, item.unit_price, item.barcodes) == ("1001", "3.89", ("0070000012345", "milk-1"))
    assert catalogue.find(f"{code}9") is None


def test_a_hundred_thousand_products_are_searched_without_reading_them_all(shelf: Shelf) -> None:
    goods = [
        product(f"{n:06d}", description=f"Milk number {n}", department=f"D{n % 9}") for n in range(100_000)
    ]
    version = shelf.put(*goods)
    snapshot = Snapshot(shelf.folder / f"{version}.sqlite", version)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    snapshot._connection.set_progress_handler(count, 1_000)
    assert len(snapshot.search("mil", None, 50)) == 50
    assert [item.sku for item in snapshot.search("milk 99999", None, 50)] == ["099999"]
    assert snapshot.find("054321") is not None
    assert steps < 20  # thousands of SQLite's steps, where reading them all takes hundreds of these
    snapshot.close()


def test_before_the_first_catalogue_nothing_is_known_and_nothing_fails(catalogue: Catalogue) -> None:
    catalogue.look()
    assert (catalogue.version, catalogue.find("1001"), catalogue.search("milk", None, 5)) == (
        None,
        None,
        (None, []),
    )
    assert catalogue.finder is None


def test_a_new_catalogue_is_taken_up_and_prices_follow(shelf: Shelf, catalogue: Catalogue) -> None:
    for price in ("1.00", "2.00", "3.00"):
        version = shelf.put(product(unit_price=price))
        catalogue.look()
        item = catalogue.find("1001")
        assert item is not None
        assert (catalogue.version, item.unit_price) == (version, price)


def damaged(shelf: Shelf, version: str) -> None:
    shelf.damage(version)


def absent(shelf: Shelf, version: str) -> None:
    (shelf.folder / f"{version}.sqlite").unlink()


def misnamed(shelf: Shelf, version: str) -> None:
    other = shelf.add(product("9", description="Other"))
    (shelf.folder / f"{other}.sqlite").replace(shelf.folder / f"{version}.sqlite")


def unreadable(shelf: Shelf, _version: str) -> None:
    (shelf.folder / "current.json").write_text('{"version": "x", "file": "../../ledger.db"}')


@pytest.mark.parametrize("happens", [damaged, absent, misnamed, unreadable])
def test_a_catalogue_that_is_not_whole_is_not_taken_up(
    shelf: Shelf, catalogue: Catalogue, happens: Callable[[Shelf, str], None]
) -> None:
    before = shelf.put(product(unit_price="1.00"))
    catalogue.look()
    after = shelf.add(product(unit_price="2.00"))
    happens(shelf, after)
    if happens is not unreadable:
        shelf.name(after)
    catalogue.look()
    assert catalogue.version == before
    assert catalogue.find("1001") is not None


def test_a_till_that_starts_with_a_damaged_catalogue_uses_the_one_before(
    shelf: Shelf, catalogue: Catalogue
) -> None:
    before = shelf.put(product(unit_price="1.00"))
    after = shelf.put(product(unit_price="2.00"))
    shelf.damage(after)
    catalogue.look()
    assert catalogue.version == before


def test_a_catalogue_that_becomes_unreadable_gives_way_to_the_one_before(
    shelf: Shelf, catalogue: Catalogue
) -> None:
    many = [product(str(number)) for number in range(20_000)]
    before = shelf.put(*many)  # more than SQLite keeps in memory
    catalogue.look()
    after = shelf.put(*many, product("extra"))
    catalogue.look()
    assert catalogue.version == after
    shelf.damage(after)
    assert [item.sku for item in catalogue.search("milk", None, 20_000)[1]][:1] == ["0"]
    assert catalogue.version == before


def test_what_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"")
    with pytest.raises(DamagedSnapshotError, match="has schema 0"):
        Snapshot(path, "x")
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(DamagedSnapshotError):
        Snapshot(path, "x")


@pytest.fixture
def pos(tmp_path: Path) -> Iterator[Pos]:
    pos = Pos(tmp_path)
    pos.assign()
    yield pos
    pos.kill()
    pos.client.close()


def test_every_record_names_the_catalogue_that_the_till_sold_by(pos: Pos, shelf: Shelf) -> None:
    pos.start()
    named = []

    def ring() -> None:
        answer = pos.sell(sale()).json()
        named.append(pos.client.get(f"/v1/sales/{answer['sale_id']}").json()["catalogue_version"])

    ring()
    first = shelf.put(*GOODS)
    wait_for(lambda: pos.health()["catalogue_version"] == first)
    ring()
    second = shelf.put(*GOODS[:2])
    wait_for(lambda: pos.health()["catalogue_version"] == second)
    ring()
    third = shelf.add(*GOODS[1:])
    shelf.damage(third)
    shelf.name(third)
    wait_for(lambda: "selling goes on with catalogue" in pos.log())
    ring()
    assert named == [None, first, second, second]
    assert pos.health()["status"] == "selling"


def test_the_catalogue_is_looked_up_over_http(pos: Pos, shelf: Shelf) -> None:
    version = shelf.put(*GOODS)
    pos.start()
    wait_for(lambda: pos.health()["catalogue_version"] == version)
    found = pos.client.get("/v1/catalogue", params={"query": "milk", "department": "Dairy"}).json()
    assert found == {
        "version": version,
        "items": [
            {
                "sku": "1001",
                "barcodes": ["0070000012345", "milk-1"],
                "description": "Whole milk 1 gal",
                "department": "Dairy",
                "unit_price": "3.89",
                "tax_code": "F",
                "sold_by": "each",
            }
        ],
    }
    assert pos.client.get("/v1/catalogue/94011").json()["items"][0]["sku"] == "4011"
    assert len(pos.client.get("/v1/catalogue", params={"limit": 2}).json()["items"]) == 2
    unknown = pos.client.get("/v1/catalogue/nothing")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "product_unknown")
    for wrong in ({"limit": 0}, {"limit": 10_000}, {"query": "x" * 201}):
        assert pos.client.get("/v1/catalogue", params=wrong).status_code == 422
    assert json.dumps(pos.client.get("/openapi.json").json()["paths"]).count("/v1/catalogue") >= 2


def codes(answer: Any) -> set[str]:
    return {reason["code"] for reason in answer.json()["reasons"]}


def test_a_basket_is_held_against_the_catalogue_once_there_is_one(pos: Pos, shelf: Shelf) -> None:
    pos.start()
    assert "sku_unknown" not in codes(pos.client.post("/v1/baskets/check", json=sale()))
    version = shelf.put(*GOODS)
    wait_for(lambda: pos.health()["catalogue_version"] == version)
    lines = [{"sku": "7777", "description": "?", "quantity": 1, "unit_price": "3.00", "total": 300}]
    assert "sku_unknown" in codes(pos.client.post("/v1/baskets/check", json=sale(lines=lines)))
    assert "price_differs" in codes(pos.client.post("/v1/baskets/check", json=sale()))
