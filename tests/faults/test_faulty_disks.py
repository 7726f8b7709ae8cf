"""Disks that fail in other ways than by a power cut: full, read-only, worn, shared."""

from __future__ import annotations

import errno
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge_components.edgekit import record
from tests.faults import disk
from tests.faults.till_on_disk import FaultyPos, all_records, wide_sale
from tests.pos.pos_process import Pos, sale
from tests.pos.zygote import Zygote

EX_IOERR = 74


@pytest.fixture
def control(tmp_path: Path) -> Iterator[disk.Control]:
    found = disk.Control(tmp_path / "control")
    yield found
    found.close()


@pytest.fixture
def selling(pos: Pos, control: disk.Control, monkeypatch: pytest.MonkeyPatch) -> Pos:
    """A till that sells on a disk that the test can make fail."""
    for name, value in disk.environment(pos.data, control=control).items():
        monkeypatch.setenv(name, value)
    pos.assign()
    return pos.start()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def sold(pos: Pos) -> dict[str, str]:
    return {one["sale_id"]: one["hash"] for one in all_records(pos) if one["sale_id"]}


def test_after_a_failed_sync_the_till_leaves_and_what_it_acknowledged_is_there_when_it_is_back(
    selling: Pos, control: disk.Control
) -> None:
    receipts = [selling.sell(sale()).json() for _ in range(5)]
    control.fail_syncs(1)
    doubtful = sale()
    with pytest.raises(httpx.TransportError):
        selling.sell(doubtful)
    assert selling.process is not None
    assert selling.process.wait(timeout=120) == EX_IOERR
    selling.start()
    assert {one["sale_id"]: one["hash"] for one in receipts}.items() <= sold(selling).items()
    assert selling.sell(doubtful).status_code in (200, 201)
    assert selling.sell(doubtful).status_code == 200
    assert record.first_break(all_records(selling)) is None


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
def test_a_disk_that_refuses_writes_costs_no_acknowledged_sale(
    selling: Pos, control: disk.Control, error: int
) -> None:
    receipts = [selling.sell(sale()).json() for _ in range(5)]
    control.fail_writes(error)
    unsold = sale()
    try:
        assert selling.sell(unsold).status_code == 503
    except httpx.TransportError:
        assert selling.process is not None
        assert selling.process.wait(timeout=120) == EX_IOERR
    control.fail_writes(0)
    selling.kill()
    selling.start()
    assert {one["sale_id"]: one["hash"] for one in receipts}.items() <= sold(selling).items()
    assert selling.sell(unsold).status_code in (200, 201)


@pytest.mark.machine
def test_on_a_full_disk_selling_stops_with_a_clear_error_and_goes_on_when_there_is_space(
    tmp_path: Path, zygote: Zygote, small_disk: Path
) -> None:
    pos = FaultyPos(tmp_path / "till", zygote, data_dir=str(small_disk), reserve_bytes=262_144)
    pos.data = small_disk
    pos.assign()
    pos.start()
    try:
        filler = small_disk / "filler"
        acknowledged = {}
        for _ in range(400):
            body = wide_sale(40)
            answer = pos.sell(body)
            if answer.status_code != 201:
                break
            acknowledged[body["sale_id"]] = answer.json()["hash"]
            filler.open("ab").write(b"x" * 8192)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "disk_full"
        assert acknowledged.items() <= sold(pos).items()
        filler.unlink()
        assert pos.sell(body).status_code == 201
        assert record.first_break(all_records(pos)) is None
    finally:
        pos.kill()
        pos.client.close()


@pytest.mark.machine
def test_a_read_only_remount_ends_selling_without_a_lost_sale(
    tmp_path: Path, zygote: Zygote, small_disk: Path
) -> None:
    pos = FaultyPos(tmp_path / "till", zygote, data_dir=str(small_disk))
    pos.data = small_disk
    pos.assign()
    pos.start()
    try:
        receipts = [pos.sell(sale()).json() for _ in range(5)]
        pos.kill()
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        pos.start(until="ledger_closed")
        assert pos.sell(sale()).status_code == 503
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        pos.wait("selling")
        assert {one["sale_id"]: one["hash"] for one in receipts}.items() <= sold(pos).items()
        assert pos.sell(sale()).status_code == 201
    finally:
        pos.kill()
        pos.client.close()


def test_of_two_tills_on_one_ledger_one_sells_and_the_other_says_why_not(
    tmp_path: Path, zygote: Zygote
) -> None:
    first = FaultyPos(tmp_path / "one", zygote)
    second = FaultyPos(tmp_path / "two", zygote, data_dir=str(first.data))
    first.assign()
    first.start()
    second.start(until="ledger_in_use")
    try:
        assert first.sell(sale()).status_code == 201
        refused = second.sell(sale())
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_in_use")
        first.kill()
        second.wait("selling")
        assert second.sell(sale()).status_code == 201
        assert record.first_break(all_records(first)) is None
    finally:
        for pos in (first, second):
            pos.kill()
            pos.client.close()


def flipped(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def torn(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("damage", [flipped, torn])
@pytest.mark.parametrize("file", ["ledger.db", "ledger.db-wal"])
def test_a_damaged_file_is_noticed_or_harmless_and_never_a_sale_that_did_not_happen(
    tmp_path: Path, zygote: Zygote, damage: object, file: str, seed: int
) -> None:
    """Bytes that a card changed can cost records; they never become others, and the till sells on."""
    pos = FaultyPos(tmp_path / "till", zygote)
    pos.assign()
    pos.start()
    try:
        receipts = {one["sale_id"]: one for one in (pos.sell(sale()).json() for _ in range(12))}
        if file == "ledger.db":
            pos.stop()
        else:
            pos.kill()
        path = pos.data / file
        chance = random.Random(f"{damage.__name__}{file}{seed}")  # type: ignore[attr-defined]  # noqa: S311
        path.write_bytes(damage(path.read_bytes(), chance))  # type: ignore[operator]
        pos.start()
        found = all_records(pos)
        assert record.first_break(found) is None
        kept = {one["sale_id"]: one["hash"] for one in found if one["sale_id"]}
        assert all(receipts[sale_id]["hash"] == kept[sale_id] for sale_id in kept)
        assert pos.sell(sale()).status_code == 201
    finally:
        pos.kill()
        pos.client.close()


def test_eight_terminals_share_syncs_on_a_slow_card(selling: Pos, control: disk.Control) -> None:
    """A sync takes so long that what comes meanwhile waits for it, however busy the machine is."""
    selling.sell(sale())
    control.slow_syncs(1.0)
    before = control.syncs

    def ring_up() -> None:
        with httpx.Client(base_url=selling.url, timeout=120, trust_env=False) as client:
            for _ in range(2):
                assert client.post("/v1/sales", json=sale()).status_code == 201

    terminals = [threading.Thread(target=ring_up) for _ in range(8)]
    for terminal in terminals:
        terminal.start()
    for terminal in terminals:
        terminal.join()
    assert (control.syncs - before) / 16 <= 0.5
