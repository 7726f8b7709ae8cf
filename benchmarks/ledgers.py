"""Ledgers of many records without hours of selling: a till makes the file, copies of its sales fill it."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import apsw
import httpx
import uuid_utils

from edge_components.edgekit import record
from sales.baskets import baskets
from tests.soak.tills import Till

_COLUMNS = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")
_REAL = 500  # different baskets of the data set in a ledger
_CHUNK = 10_000


def make(folder: Path, records: int, **pos: Any) -> Till:
    """A till that is off, whose ledger holds at least so many records of real baskets."""
    till = Till("BENCH", folder, None, **pos)
    till.start("pos")
    till.until_selling()
    with httpx.Client(base_url=till.url, trust_env=False, timeout=20) as client:
        for chosen in baskets([367], limit_per_store=min(_REAL, records)):
            body = chosen.payload(sale_id=str(uuid_utils.uuid7()), terminal="T1", cashier="C1")
            client.post("/v1/sales", json=body).raise_for_status()
    till.stop()
    _fill(till.data / "ledger.db", records)
    return till


def copy(source: Path, target: Path) -> None:
    """The ledger of a till that is off, for another one."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("ledger.db*"):
        shutil.copyfile(path, target / path.name)


def _fill(path: Path, records: int) -> None:
    connection = apsw.Connection(str(path))
    try:
        rows = connection.execute("SELECT record FROM records ORDER BY epoch, seq").fetchall()
        last = json.loads(str(rows[-1][0]))
        sales = [one for one in (json.loads(str(row[0])) for row in rows) if one["kind"] == "sale"]
        left, number = records - len(rows), int(last["receipt_no"][-9:])
        templates = itertools.cycle(sales)
        while left > 0:
            with connection:
                for _ in range(min(left, _CHUNK)):
                    number += 1
                    last = _next(next(templates), last, number)
                    values = (*(last[column] for column in _COLUMNS), record.canonical(last).decode())
                    connection.execute("INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            left -= _CHUNK
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        connection.close()


def _next(template: dict[str, Any], last: dict[str, Any], number: int) -> dict[str, Any]:
    return record.seal(
        {
            **template,
            "seq": last["seq"] + 1,
            "sale_id": str(uuid_utils.uuid7()),
            "receipt_no": f"{last['receipt_no'][:-9]}{number:09d}",
            "prev_hash": last["hash"],
        }
    )


def adopt(source: Till, till: Till) -> None:
    """Give a till that is off the ledger of another one, and its name and machine with it."""
    copy(source.data, till.data)
    shutil.copyfile(source.data / "assignment.json", till.data / "assignment.json")
    shutil.copyfile(source.folder / "machine-id", till.folder / "machine-id")
