"""A till whose disk is recorded, a session of selling on it, and the judgement on what a power cut left."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from edge_components.edgekit import record
from edge_components.edgekit.ledger import LedgerReader
from tests.faults import answers, disk
from tests.faults.image import Disk, materialise
from tests.pos.pos_process import Pos, sale
from tests.pos.zygote import Forked, Zygote


class FaultyPos(Pos):
    """A till forked from a zygote, so that hundreds of starts are cheap."""

    look_again_seconds = 0.01

    def __init__(self, folder: Path, zygote: Zygote, **configuration: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, **configuration)
        self._zygote = zygote
        self.environment: dict[str, str] = {}

    def begin(self, configuration: Path) -> Forked:
        return self._zygote.start(configuration, self.folder / "log", self.environment)


class Session:
    """What a till did on its disk while it sold, entry by entry, and what it was sent."""

    def __init__(
        self, disk_before: Disk, played: Sequence[disk.Entry], sent: dict[str, dict[str, Any]]
    ) -> None:
        self.disk_before = disk_before
        self.played = played
        self.sent = sent
        self.receipts = answers.receipts(played)

    def points(self) -> list[int]:
        """Where a cut can differ from one before it: after each entry that touches the disk or promises."""
        return [number + 1 for number, entry in enumerate(self.played) if entry.kind in "wtgsSrua"]

    def acknowledged(self, point: int) -> list[dict[str, Any]]:
        return [answer.body for answer in self.receipts if answer.when < point]


def record_session(
    pos: Pos, monkeypatch: Any, *, sales: int, terminals: int, lines: int = 1, sync_seconds: float = 0.0
) -> Session:
    """Sell on a recorded disk, whose syncs take so much longer, from the first start to a clean stop."""
    pos.assign()
    before = Disk(pos.data)
    journal = pos.folder / "journal"
    control = disk.Control(pos.folder / "control")
    control.slow_syncs(sync_seconds)
    with monkeypatch.context() as patch:
        for name, value in disk.environment(pos.data, journal=journal, control=control).items():
            patch.setenv(name, value)
        Pos.start(pos)  # a process of its own: the library is loaded with it
    sent = {body["sale_id"]: body for body in (wide_sale(lines) for _ in range(sales))}
    _sell(pos.url, list(sent.values()), terminals)
    assert pos.stop() == 0
    return Session(before, list(disk.entries(journal)), sent)


def wide_sale(lines: int) -> dict[str, Any]:
    line = {"sku": "1001", "description": "Milk", "quantity": 1, "unit_price": "1.50", "total": 150}
    total = 150 * lines
    payments = [{"method": "cash", "amount": total}]
    return sale(lines=[line] * lines, payments=payments, totals={"total": total})


def _sell(url: str, bodies: list[dict[str, Any]], terminals: int) -> None:
    def ring_up(mine: list[dict[str, Any]]) -> None:
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
            for body in mine:
                assert client.post("/v1/sales", json=body).status_code == 201

    threads = [threading.Thread(target=ring_up, args=(bodies[n::terminals],)) for n in range(terminals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cut_and_look(session: Session, points: Iterable[int], folder: Path, zygote: Zygote, seed: int) -> None:
    """Cut the power at each of `points`, start a till on what is left, and hold it to what was promised."""
    replayed, played = session.disk_before, 0
    for point in sorted(points):
        replayed.play(session.played[played:point])
        played = point
        chance = random.Random(f"{seed}/{point}")  # noqa: S311 - what the cut takes
        pos = FaultyPos(folder / str(point), zygote)
        materialise(replayed.image(chance), pos.data)
        pos.start()
        try:
            judge(pos, session, point)
        except AssertionError as error:
            raise AssertionError(f"cut after entry {point}, seed {seed}: {error}") from error
        finally:
            pos.kill()
            pos.client.close()


def judge(pos: Pos, session: Session, point: int) -> None:
    """Nothing acknowledged is lost, the chain holds, nothing was set aside, a retry gets its receipt."""
    before = all_records(pos)
    assert record.first_break(before) is None
    by_id = {one["sale_id"]: one for one in before if one["sale_id"]}
    acknowledged = session.acknowledged(point)
    assert not list(pos.data.glob("set-aside/*")), f"a cut is no damage: {pos.log()}"
    for receipt in acknowledged:
        assert receipt["sale_id"] in by_id, f"lost: {receipt['receipt_no']}"
        assert by_id[receipt["sale_id"]]["hash"] == receipt["hash"]
    for receipt in acknowledged[-3:]:
        again = pos.sell(session.sent[receipt["sale_id"]])
        assert (again.status_code, again.json()["receipt_no"]) == (200, receipt["receipt_no"])
    unknown = next((body for sale_id, body in session.sent.items() if sale_id not in by_id), None)
    if unknown is not None:
        assert [pos.sell(unknown).status_code for _ in range(2)] == [201, 200]
    assert record.first_break(all_records(pos)) is None


def all_records(pos: Pos) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with LedgerReader(pos.data / "ledger.db") as reader:
        place = ("", 0)
        while rows := reader.after(*place):
            found += [record.parse(row.record) for row in rows]
            place = (rows[-1].epoch, rows[-1].seq)
    return found
