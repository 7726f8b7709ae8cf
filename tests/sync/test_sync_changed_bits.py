"""A card changes bits of an old record, which SQLite doesn't notice: everything else is delivered."""

from __future__ import annotations

import apsw
import pytest

from tests.sync.till import Till

CHANGED = 5  # seq of the row


def change(till: Till, column: str, value: str) -> str:
    """Returns the canonical record as it was."""
    with apsw.Connection(str(till.settings.ledger)) as connection:
        ((before,),) = connection.execute("SELECT record FROM records WHERE seq = ?", (CHANGED,)).fetchall()
        connection.execute(f"UPDATE records SET {column} = {value} WHERE seq = ?", (CHANGED,)).fetchall()  # noqa: S608 - a test's own
    return str(before)


NO_TEXT = "CAST(replace(CAST({0} AS BLOB), substr({0}, 9, 1), x'f5') AS TEXT)"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("business_date", "'2026-11-2q'"),
        ("business_date", NO_TEXT.format("business_date")),
        ("recorded_at", "'2026'"),
        ("recorded_at", NO_TEXT.format("recorded_at")),
        ("hash", "'z' || substr(hash, 2)"),
        ("hash", NO_TEXT.format("hash")),
    ],
)
@pytest.mark.parametrize("sold", [12, 4], ids=["among others", "the newest"])
def test_a_changed_column_is_read_from_its_record_and_everything_arrives_once(
    till: Till, column: str, value: str, sold: int
) -> None:
    till.ledger.sell(sold)
    change(till, column, value)
    assert till.drain() == []
    till.everything_is_there_once()


@pytest.mark.parametrize(
    "value",
    [
        "CAST(replace(CAST(record AS BLOB), 'cashier', x'f5') AS TEXT)",
        "'x' || substr(record, 2)",
        "x'f5f5'",
    ],
)
def test_a_changed_record_is_no_obstacle_for_those_after_it(till: Till, value: str) -> None:
    till.ledger.sell(12)
    before = change(till, "record", value)
    assert till.drain() == []
    others = till.rung_up()
    del others[before]
    assert others <= till.in_table()
    assert others <= till.in_bucket()


def test_a_row_that_says_nothing_any_more_is_refused_and_left_out(till: Till) -> None:
    till.ledger.sell(12)
    change(till, "record = 'x', business_date", "'x'")
    assert till.drain() == []
    others = till.rung_up()
    assert sum(others.values()) - 1 == sum(till.in_table().values()) == sum(till.in_bucket().values())
    assert len(list(till.settings.refused.iterdir())) == 1
