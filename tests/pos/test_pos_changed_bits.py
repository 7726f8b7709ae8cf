"""A card changes bits where neither a hash nor SQLite's own look at the file tells: the till sells on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import LedgerReader
from edge_components.pos import cloud_heads, figures, opening, retention
from edge_components.pos.catalogue import Catalogue
from edge_components.pos.settings import Settings
from edge_components.pos.till import Till
from edge_components.pos.upkeep import Upkeep
from tests.catalogue.conftest import product
from tests.catalogue.test_pos_catalogue import Shelf
from tests.pos.pos_process import ASSIGNMENT, Pos, sale
from tests.pos.test_pos_kinds import refund, void
from tests.pos.till_ledger import DAY, LedgerInTest

NO_TEXT = "CAST(replace(CAST({} AS BLOB), '{}', x'f5') AS TEXT)"  # one byte of it is no UTF-8 any more
NO_JSON = "'x' || substr(record, 2)"


def change(till: LedgerInTest, found: dict[str, Any], column: str, value: str) -> None:
    till.ledger.connection.execute(
        f"UPDATE records SET {column} = {value} WHERE epoch = ? AND seq = ?",  # noqa: S608 - a test's own
        (found["epoch"], found["seq"]),
    ).fetchall()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("record", NO_TEXT.format("record", "cash")),
        ("receipt_no", "substr(receipt_no, 1, 15) || 'q'"),
        ("receipt_no", "substr(receipt_no, 1, 7) || '000000009'"),
        ("receipt_no", NO_TEXT.format("receipt_no", "-")),
        ("business_date", "'2036-09-21'"),
        ("recorded_at", "'2026'"),
        ("kind", "'sal'"),
        ("sale_id", "'0'"),
    ],
)
def test_a_row_that_is_not_that_of_its_record_is_damage_and_the_till_sells_in_a_new_epoch(
    tmp_path: Path, column: str, value: str
) -> None:
    till = LedgerInTest(tmp_path)
    till.sell()
    change(till, till.sell(), column, value)
    till.reopen()
    assert [one["body"]["reason"] for one in till.records()] == ["ledger_damaged"]
    assert len(list(tmp_path.glob("set-aside/*/ledger.db"))) == 1
    assert till.sell()["seq"] == 2


@pytest.mark.parametrize("value", [NO_TEXT.format("record", "day_close"), NO_JSON])
def test_a_day_close_further_back_that_cannot_be_read_keeps_no_till_from_selling(
    tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LAST_HASHES", 2)
    till = LedgerInTest(tmp_path)
    till.sell()
    closed = till.close_day()
    for _ in range(3):
        till.sell()
    change(till, closed, "record", value)
    till.reopen()
    assert [one["body"]["reason"] for one in till.records()] == ["ledger_damaged"]


def test_a_record_that_is_no_text_any_more_hides_none_of_the_others_from_a_reader(tmp_path: Path) -> None:
    till = LedgerInTest(tmp_path)
    sold = [till.sell() for _ in range(4)]
    change(till, sold[1], "record", NO_TEXT.format("record", "cash"))
    change(till, sold[3], "recorded_at", NO_TEXT.format("recorded_at", "T"))
    with LedgerReader(tmp_path / "ledger.db") as reader:
        rows = reader.after("", 0)
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
        assert '"\ufffd"' in rows[2].record
        assert reader.sale(str(sold[1]["sale_id"])) == rows[2]
        assert [(head.seq, "\ufffd" in head.recorded_at) for head in reader.heads()] == [(5, True)]


def test_an_old_record_that_cannot_be_read_is_dropped_with_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEPT", 1)
    till = LedgerInTest(tmp_path)
    sold = [till.sell() for _ in range(5)]
    change(till, sold[1], "record", NO_JSON)
    upto = (sold[3]["epoch"], sold[3]["seq"])
    with till.ledger.connection:
        assert retention.drop(till.ledger, upto, "2999") == 5


@pytest.mark.parametrize(
    "change_item",
    [
        f"UPDATE items SET description = {NO_TEXT.format('description', 'product')} WHERE sku = '2'",  # noqa: S608 - a test's own
        "UPDATE items SET unit_price = '1.q9' WHERE sku = '2'",
    ],
)
def test_a_product_that_a_card_has_changed_gives_way_to_the_catalogue_before(
    tmp_path: Path, change_item: str
) -> None:
    shelf, catalogue = Shelf(tmp_path), Catalogue(tmp_path)
    before = shelf.put(product("2", description="the product before"))
    catalogue.look()
    version = shelf.add(product("1"), product("2", description="the product"))
    with apsw.Connection(str(tmp_path / f"{version}.sqlite")) as connection:
        connection.execute(change_item).fetchall()
        assert connection.changes() == 1
    shelf.name(version)
    catalogue.look()
    assert catalogue.version == version
    found = catalogue.find("2")
    assert found is not None
    assert (found.description, catalogue.version) == ("the product before", before)
    catalogue.close()


def test_what_a_till_does_beside_selling_goes_on_after_trouble_that_nobody_thought_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "assignment.json", ASSIGNMENT)
    till = Till(Settings(data_dir=tmp_path, assignment_poll_seconds=0.05), committed=lambda: None)
    till.look_for_assignment()
    looked: list[str] = []

    def follow(_ledger: object, head: cloud_heads.CloudHead) -> bool:
        looked.append(head.epoch)
        if len(looked) == 1:
            raise ValueError("nobody thought of it")
        return False

    monkeypatch.setattr(cloud_heads, "follow", follow)

    async def life() -> None:
        upkeep = asyncio.create_task(Upkeep(till).run())
        for epoch in ("0" * 15 + "1", "0" * 15 + "2"):
            write_json(tmp_path / "cloud_heads.json", {"epoch": epoch, "seq": 1, "hash": "a" * 64})
            async with asyncio.timeout(120):
                while epoch not in looked:
                    await asyncio.sleep(0.01)
        upkeep.cancel()

    asyncio.run(life())
    till.close()


@pytest.mark.parametrize("value", ["'x' || substr(figures, 2)", NO_TEXT.format("figures", "cash"), "'{}'"])
def test_figures_that_a_card_has_changed_are_counted_again_from_the_records(
    tmp_path: Path, value: str
) -> None:
    till = LedgerInTest(tmp_path)
    till.sell(100)
    till.close_day()
    till.sell(200)
    till.move("float", 50)
    till.sell(300, terminal="T2")
    before = figures.read(till.ledger.connection)
    till.ledger.connection.execute(f"UPDATE figures SET figures = {value} WHERE terminal = 'T1'").fetchall()  # noqa: S608 - a test's own
    till.reopen()
    assert figures.read(till.ledger.connection) == before
    till.clock.wall += DAY
    till.sell(400)
    closed = till.close_day()
    assert closed["body"]["totals"]["sales"] == 900
    assert till.records()[0]["body"]["reason"] == "new_ledger"


@pytest.mark.parametrize("changed", ["sale", "refund"])
@pytest.mark.parametrize("value", [NO_TEXT.format("record", "cash"), NO_JSON])
def test_a_refund_of_a_sale_that_a_card_has_changed_is_one_without_its_sale(
    selling: Pos, changed: str, value: str
) -> None:
    receipt = selling.sell(sale()).json()
    assert selling.client.post("/v1/refunds", json=refund(receipt)).status_code == 201
    with apsw.Connection(str(selling.data / "ledger.db")) as connection:
        connection.execute(f"UPDATE records SET record = {value} WHERE kind = ?", (changed,)).fetchall()  # noqa: S608 - a test's own
    answer = selling.client.post("/v1/refunds", json=refund(receipt))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "supervisor_needed")


@pytest.mark.parametrize("value", [NO_TEXT.format("record", "cash"), NO_JSON])
def test_a_sale_that_a_card_has_changed_is_neither_recorded_again_nor_voided(
    selling: Pos, value: str
) -> None:
    body = sale()
    selling.sell(body).raise_for_status()
    with apsw.Connection(str(selling.data / "ledger.db")) as connection:
        connection.execute(f"UPDATE records SET record = {value} WHERE kind = 'sale'").fetchall()  # noqa: S608 - a test's own
    for answer in (selling.sell(body), selling.client.post("/v1/voids", json=void(body["sale_id"]))):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "record_damaged")
    assert selling.sell(sale()).status_code == 201


def test_no_amount_that_a_card_has_changed_is_voided(selling: Pos) -> None:
    body = sale()
    selling.sell(body).raise_for_status()
    with apsw.Connection(str(selling.data / "ledger.db")) as connection:
        connection.execute("UPDATE records SET record = replace(record, '300', '700') WHERE kind = 'sale'")
    answer = selling.client.post("/v1/voids", json=void(body["sale_id"]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "record_damaged")


def test_a_refund_is_not_held_against_an_amount_that_a_card_has_changed(selling: Pos) -> None:
    receipt = selling.sell(sale()).json()
    with apsw.Connection(str(selling.data / "ledger.db")) as connection:
        connection.execute("UPDATE records SET record = replace(record, '300', '700') WHERE kind = 'sale'")
    answer = selling.client.post("/v1/refunds", json=refund(receipt))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "supervisor_needed")
