"""A till with its sync in front of a cloud, beside a plain model of what it owes."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from edge_components.edgekit import record
from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError
from edge_components.sync.errors import Kind, classify
from edge_components.sync.progress import Cursor
from tests.faults import disk
from tests.faults.image import Disk, materialise
from tests.faults.till_on_disk import FaultyPos, all_records
from tests.pos.zygote import KEPT, Zygote
from tests.sync.faulty_proxy import FaultyProxy
from tests.sync.till import Till, make_till

KEPT_RECORDS = 4
SETTINGS = {
    "retention_check_seconds": 0.05,
    "assignment_poll_seconds": 0.01,
    "ballast_bytes": 65_536,  # the usual 64 MB would be read for each power cut
}
PATIENCE = 120.0  # seconds
LEDGER = ("ledger.db", "ledger.db-wal", "ledger.db-shm")


@dataclass
class Owed:
    """The model: what terminals were told, what they don't know, what the cloud has had."""

    told: dict[str, str] = field(default_factory=dict)  # the id of a sale or refund to its record's hash
    sent: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)  # to path and body
    doubtful: set[str] = field(default_factory=set)
    passed: dict[str, str | None] = field(default_factory=dict)  # canonical records that may go, to their ids
    delivered: set[str] = field(default_factory=set)  # canonical records


class World:
    """One till: pos as a process on a recorded disk, sync step by step, the cloud behind a faulty proxy."""

    def __init__(
        self, folder: Path, zygote: Zygote, aws: Any, proxy: FaultyProxy, happened: Counter[str]
    ) -> None:
        """`happened` counts what came about, rather than what was tried."""
        self.folder, self.proxy, self.happened = folder, proxy, happened
        proxy.seen.clear()
        self.pos = FaultyPos(folder, zygote, **SETTINGS)
        self.control = disk.Control(folder / "control")
        self.owed = Owed()
        self._starts = 0
        self.sync: Till = make_till(aws, folder / "unused", data_dir=self.pos.data)
        self.pos.assign(thing=self.sync.settings.thing)
        self.start_pos()

    def start_pos(self) -> None:
        self._starts += 1
        self._journal = self.folder / f"journal-{self._starts}"
        self._before = Disk(self.pos.data)
        recorded = disk.environment(self.pos.data, journal=self._journal, control=self.control)
        self.pos.environment = {**recorded, KEPT: str(KEPT_RECORDS)}
        self.pos.start()

    def send(self, path: str, sale_id: str, body: dict[str, Any], *, refusal: str | None = None) -> None:
        """Post something that has an id, once; what the till says goes into the model.

        `refusal`: the code with which the till must refuse it, unless it has it already.
        """
        owed = self.owed
        known = owed.told.get(sale_id)
        owed.sent[sale_id] = (path, body)
        owed.doubtful.add(sale_id)
        try:
            answer = self.pos.client.post(path, json=body)
        except httpx.TransportError:
            self.happened["no answer from a till that ended"] += 1
            assert self.pos.process is not None
            self.pos.process.wait(timeout=120)
            self.pos.kill()
            return
        if answer.status_code == 503:
            self.happened["refused while the disk fails"] += 1
            return
        if refusal is not None and sale_id not in self.recorded():
            assert answer.json()["error"]["code"] == refusal, answer.text
            owed.doubtful.discard(sale_id)
            self.happened["refund refused, nothing is left of the sale"] += 1
            return
        assert answer.status_code in (200, 201), answer.text
        assert known is None or (answer.status_code, answer.json()["hash"]) == (200, known)
        owed.told[sale_id] = answer.json()["hash"]
        kind = path.rpartition("/")[2].removesuffix("s")
        self.happened[
            f"{kind} recorded" if answer.status_code == 201 else f"{kind} repeated, the same receipt"
        ] += 1
        owed.doubtful.discard(sale_id)

    def power_cut(self, chance: random.Random) -> None:
        """Everything stops; the disk keeps what was synced and some of what was not."""
        self.pos.kill()
        self.sync.stop()
        self._before.play(disk.entries(self._journal))
        image = self._before.image(chance)
        for name in LEDGER:
            (self.pos.data / name).unlink(missing_ok=True)
        materialise({name: image[name] for name in LEDGER if name in image}, self.pos.data)
        self.sync.start()

    def tear_state(self, size: int) -> None:
        """sync.db is cut off there by a power cut, its log gone; the till itself goes on."""
        self.sync.stop()
        path = self.sync.settings.database
        path.write_bytes(path.read_bytes()[:size])
        for suffix in ("-wal", "-shm"):
            path.with_name(f"sync.db{suffix}").unlink(missing_ok=True)
        self.sync.start()

    def card_image(self) -> Path:
        """What an image of the card would hold; the till must be off."""
        image = self.folder / f"image-{self._starts}"
        shutil.copytree(self.pos.data, image)
        return image

    def restore(self, image: Path) -> None:
        """Put an old image of the card back. What came after it, this till has forgotten."""
        self.sync.stop()
        shutil.rmtree(self.pos.data)
        shutil.copytree(image, self.pos.data)
        self.sync.start()
        self.owed.doubtful.clear()
        self.owed.told.clear()

    def step(self, count: int) -> None:
        """Let both sinks try so often; what fails must be of the world's doing."""
        for _ in range(count):
            for sink in (self.sync.table, self.sync.bucket):
                try:
                    sink.step()
                except LedgerUnavailableError:
                    continue
                except Exception as error:  # noqa: BLE001 - the worker's part
                    assert classify(error) is not Kind.OWN, repr(error)

    def grow_old(self, aggregator_lags: int) -> None:
        """More than the kept days have passed: what both sinks and a slower aggregator have must go."""
        with LedgerReader(self.pos.data / "ledger.db") as reader:
            passed = Cursor(self.sync.settings.cursor, reader, self.sync.state).passed()
        if passed is None:
            return
        counted = (passed[0], max(1, passed[1] - aggregator_lags))
        found = self.ledger()
        for one in found:
            if (one["epoch"], one["seq"]) <= counted:
                self.owed.passed[record.canonical(one).decode()] = one["sale_id"]
                self.owed.told.pop(one["sale_id"], None)
        (self.pos.data / "cursors").mkdir(exist_ok=True)
        for consumer, (epoch, seq) in (("aggregator", counted), ("sync", passed)):
            place = {"epoch": epoch, "seq": seq, "time": "t"}
            write_json(self.pos.data / "cursors" / f"{consumer}.json", place)
        upto = min(counted, (found[-1]["epoch"], found[-1]["seq"] - KEPT_RECORDS))
        due = [one for one in found if (one["epoch"], one["seq"]) <= upto]
        while due and not due[-1]["clock_synchronized"]:
            due.pop()
        self.happened["records dropped by retention"] += len(due)
        self._until_the_oldest_is(found[len(due)])

    def _until_the_oldest_is(self, wanted: dict[str, Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while _place(self.ledger()[0]) < _place(wanted):  # beyond, where an epoch was opened meanwhile
            assert time.monotonic() < deadline, "what is old and passed by everyone stays"
            time.sleep(0.02)

    def grown_old(self, sale_id: str) -> bool:
        """Whether every consumer has passed it, so that it can go at any time."""
        return sale_id in self.owed.passed.values()

    def recorded(self) -> set[str]:
        return {one["sale_id"] for one in self.ledger() if one["sale_id"]}

    def left_to_refund(self, sale: dict[str, Any]) -> int:
        """How many of its lines, all alike, nobody has given back."""
        cited = [one["body"]["receipt"] for one in self.ledger() if one["kind"] == "refund"]
        lines: list[Any] = sale["body"]["lines"]
        return len(lines) - [receipt["hash"] for receipt in cited].count(sale["hash"])

    def ledger(self) -> list[dict[str, Any]]:
        return all_records(self.pos)

    def check(self) -> None:
        """What holds at any moment, with the till up."""
        found = self.ledger()
        assert record.first_break(found) is None
        hashes = Counter(one["sale_id"] for one in found if one["sale_id"])
        assert not hashes or max(hashes.values()) == 1
        by_id = {one["sale_id"]: one["hash"] for one in found}
        assert self.owed.told.items() <= by_id.items()
        assert {one["sale_id"] for one in found if one["sale_id"]} <= self.owed.sent.keys()
        for epoch in {one["epoch"] for one in found}:
            mine = [
                int(one["receipt_no"][-9:]) for one in found if one["epoch"] == epoch and one["receipt_no"]
            ]
            assert not mine or mine == list(range(mine[0], mine[0] + len(mine)))
            assert self.owed.passed or not mine or mine[0] == 1

    def settle(self, *, restored: bool) -> None:
        """With all faults gone, everything arrives, once, and what ever arrived is still there."""
        self.proxy.always, self.proxy.faults = None, []
        ours, table, bucket = self._until_all_is_there()
        assert self.owed.delivered <= set(table)
        assert max(table.values()) == max(bucket.values()) == 1
        if not restored:
            assert table == ours
            assert bucket == ours
        self.owed.delivered = set(table)

    def _until_all_is_there(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """What the till owes, what the table and what the bucket has of it, once nothing of it is missing.

        A till that hears of the cloud's head opens an epoch in its own time, and its segment is young.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            self.sync.drain()
            ours = Counter({*self._lines(), *self.owed.passed})
            table, bucket = self.sync.in_table(), self.sync.in_bucket()
            if set(ours) <= set(table) & set(bucket):
                return ours, table, bucket
            assert time.monotonic() < deadline, "something never arrives"
            time.sleep(self.sync.settings.segment_seconds * 1.5)

    def _lines(self) -> list[str]:
        with LedgerReader(self.pos.data / "ledger.db") as reader:
            rows, place = [], ("", 0)
            while page := reader.after(*place):
                rows += page
                place = (page[-1].epoch, page[-1].seq)
        return [row.record for row in rows]

    def close(self) -> None:
        self.pos.kill()
        self.pos.client.close()
        self.sync.stop()
        self.sync.ledger.close()
        self.sync.forget_segments()
        self.control.close()
        shutil.rmtree(self.folder)


def _place(found: dict[str, Any]) -> tuple[str, int]:
    return found["epoch"], found["seq"]


def body_of_refund(refund_id: str, receipt: dict[str, Any]) -> dict[str, Any]:
    """The refund of one line of a sale of this till."""
    line = {"sku": "1001", "description": "Milk", "quantity": -1, "unit_price": "1.50", "total": -150}
    return {
        "refund_id": refund_id,
        "terminal": "T1",
        "cashier": "C1",
        "currency": "USD",
        "receipt": {key: receipt[key] for key in ("thing", "epoch", "seq", "hash")},
        "lines": [line],
        "payments": [{"method": "cash", "amount": -150}],
        "totals": {"total": -150},
        "supervisor": "S1",
        "reason": "broken",
    }


def can_refund(pos: FaultyPos) -> bool:
    return "/v1/refunds" in json.dumps(pos.client.get("/openapi.json").json()["paths"])
