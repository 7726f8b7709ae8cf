"""An earlier release's ledger comes forward whole, or stays as it was: a power cut leaves no third thing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from edge_components.edgekit import record
from edge_components.pos import schema
from edge_components.pos.errors import NotSellingError
from edge_components.pos.lookup import TillReader
from tests.pos.pos_process import sale
from tests.pos.test_pos_kinds import refund
from tests.pos.till_ledger import DAY, LedgerInTest

OF_VERSION_1 = ("figures", "reversals", "dropped")


def as_version_1(path: Path) -> None:
    """What the first release wrote: the same records, none of the later tables."""
    with apsw.Connection(str(path)) as connection:
        connection.execute("DROP INDEX records_day_close")
        for table in OF_VERSION_1:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        connection.execute("UPDATE meta SET value = 'cleanly' WHERE key = 'closed'")


@pytest.fixture
def old_ledger(tmp_path):
    till = LedgerInTest(tmp_path)
    till.sell(70, department="yesterday")
    till.clock.wall += DAY
    for amount in (100, 200, 300):
        till.sell(amount, department="today")
    till.ledger.connection.close()
    as_version_1(tmp_path / "ledger.db")
    return till


def image(path: Path) -> dict[str, Any]:
    """All that a database says."""
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        rows = {
            table: list(connection.execute(f"SELECT * FROM {table}"))  # noqa: S608 - its own names
            for table in ("records", "meta", *OF_VERSION_1)
            if table in tables
        }
        version = schema.meta(connection, "schema_version")
    return {"version": version, "tables": tables, "rows": rows}


def test_records_stay_as_they_are_and_the_open_day_is_counted(old_ledger):
    before = old_ledger.records()
    old_ledger.ledger = old_ledger.open()
    assert old_ledger.records() == before
    assert record.first_break(before) is None
    with TillReader(old_ledger.folder / "ledger.db") as reader:
        (row,) = reader.open_figures()
        assert reader.meta("schema_version") == str(schema.VERSION)
        assert reader.receipt(before[2]["receipt_no"]) is not None
        assert reader.dropped(before[0]["epoch"]) is None
    assert row.figures["departments"] == {"today": 600}
    assert old_ledger.close_day()["body"]["totals"]["sales"] == 600


def test_a_ledger_of_a_later_release_is_left_alone(old_ledger):
    with apsw.Connection(str(old_ledger.folder / "ledger.db")) as connection:
        schema.set_meta(connection, "schema_version", "99")
    before = image(old_ledger.folder / "ledger.db")
    with pytest.raises(NotSellingError, match="schema 99; this release knows 1 to 2"):
        old_ledger.open()
    assert image(old_ledger.folder / "ledger.db") == before
    assert not (old_ledger.folder / "set-aside").exists()


class _PowerCutError(Exception):
    """Where the power goes."""


def test_power_that_goes_at_any_step_of_a_migration_leaves_the_old_ledger_or_the_new(old_ledger, tmp_path):
    source = old_ledger.folder / "ledger.db"
    old = image(source)
    seen = set()
    for statements in range(60):
        folder = tmp_path / f"cut-{statements}"
        folder.mkdir()
        shutil.copy(source, folder / "ledger.db")
        finished = _migrate_until(folder / "ledger.db", statements)
        shutil.copytree(folder, folder.with_name(f"{folder.name}-after"))  # as the card is found
        found = image(folder.with_name(f"{folder.name}-after") / "ledger.db")
        assert found["version"] in ("1", "2")
        if found["version"] == "1":
            assert found == old
        else:
            assert set(OF_VERSION_1) <= set(found["tables"])
            assert json.loads(found["rows"]["figures"][0][2])["sales"] == 600
        assert found["rows"]["records"] == old["rows"]["records"]
        seen.add(found["version"])
        if finished:
            break
    assert finished
    assert seen == {"1", "2"}


def _migrate_until(path: Path, statements: int) -> bool:
    """Run the migration, and let the power go before its n-th statement; whether it came to its end."""
    connection = apsw.Connection(str(path))
    left = statements

    def count(_cursor: Any, _sql: str, _bindings: Any) -> bool:
        nonlocal left
        if left == 0:
            raise _PowerCutError
        left -= 1
        return True

    connection.exec_trace = count
    try:
        connection.pragma("journal_mode", "wal")
        schema.migrate(connection)
    except _PowerCutError:
        return False
    else:
        return True
    finally:
        connection.exec_trace = None
        connection.close(force=True)


def test_a_migrated_ledger_takes_refunds_of_what_the_old_release_sold(pos):
    pos.assign()
    pos.start()
    receipt = pos.sell(sale()).json()
    pos.stop()
    as_version_1(pos.data / "ledger.db")
    pos.start()
    assert pos.client.post("/v1/refunds", json=refund(receipt)).status_code == 201
