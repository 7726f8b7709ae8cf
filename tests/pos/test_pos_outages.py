"""Power cuts, restarts, damaged files, moved cards: what was acknowledged stays."""

import random
import threading
from pathlib import Path

import apsw
import httpx
import pytest

from edge_components.edgekit.ledger import LedgerReader
from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_selling import records


def test_without_an_assignment_the_till_says_so_and_sells_as_soon_as_there_is_one(pos):
    pos.start(until="no_assignment")
    answer = pos.sell(sale())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json()["error"]["code"] == "no_assignment"
    (pos.data / "assignment.json").write_text("{")
    pos.wait("assignment_invalid")
    pos.assign()
    pos.wait("selling")
    assert pos.sell(sale()).status_code == 201
    (pos.data / "assignment.json").write_text("{")
    assert pos.sell(sale()).status_code == 201


def test_a_changed_assignment_counts_from_the_next_sale(selling):
    selling.assign(terminals=["T7"])
    pause = threading.Event()
    for _ in range(2_400):
        if not selling.sell(sale(terminal="T7")).json()["exceptions"]:
            break
        pause.wait(0.05)
    else:
        pytest.fail("the assignment was not noticed")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_acknowledged_is_lost_when_the_till_is_killed_in_the_middle_of_selling(selling, seed):
    acknowledged: dict[str, dict[str, object]] = {}
    in_doubt: list[dict[str, object]] = []
    stop = threading.Event()

    def ring_up():
        with httpx.Client(base_url=selling.url, timeout=120, trust_env=False) as client:
            while not stop.is_set():
                body = sale()
                try:
                    acknowledged[body["sale_id"]] = client.post("/v1/sales", json=body).json()
                except httpx.TransportError:
                    in_doubt.append(body)
                    return

    terminals = [threading.Thread(target=ring_up) for _ in range(6)]
    for terminal in terminals:
        terminal.start()
    while len(acknowledged) <= 10:
        stop.wait(0.01)
    stop.wait(random.Random(seed).uniform(0.3, 1.0))  # noqa: S311 - when the power goes
    selling.kill()
    stop.set()
    for terminal in terminals:
        terminal.join(120)
    selling.start()
    by_id = {one["sale_id"]: one for one in records(selling)}
    assert len(acknowledged) > 10
    for sale_id, receipt in acknowledged.items():
        assert {key: by_id[sale_id][key] for key in receipt} == receipt
    for body in in_doubt:
        assert selling.sell(body).status_code == (200 if body["sale_id"] in by_id else 201)
        assert selling.sell(body).status_code == 200
    found = records(selling)
    assert {one["epoch"] for one in found} == {selling.health()["epoch"]}


def test_a_clean_stop_finishes_what_is_queued_and_the_next_start_goes_on_with_the_chain(selling):
    receipt = selling.sell(sale()).json()
    assert selling.stop() == 0
    assert (selling.data / "ledger.db-wal").stat().st_size == 0
    selling.start()
    following = selling.sell(sale()).json()
    assert following["prev_hash"] == receipt["hash"]
    assert following["seq"] == receipt["seq"] + 1


def test_readers_that_may_not_write_can_read_while_no_till_runs(selling):
    selling.sell(sale())
    selling.stop()
    assert (selling.data / "ledger.db-shm").exists()
    with LedgerReader(selling.data / "ledger.db") as reader:
        assert reader.heads()[0].seq == 2


def cut_header(path: Path):
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def scramble_page(path: Path):
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * 4096 + content[8192:])


def empty_file(path: Path):
    path.write_bytes(b"")


def change_amount(path: Path):
    with apsw.Connection(str(path)) as connection:
        connection.execute("UPDATE records SET record = replace(record, '\"total\":300', '\"total\":100')")


def delete_record(path: Path):
    with apsw.Connection(str(path)) as connection:
        connection.execute("DELETE FROM records WHERE seq = 3")


@pytest.mark.parametrize("damage", [cut_header, scramble_page, empty_file, change_amount, delete_record])
def test_a_damaged_ledger_is_set_aside_whole_and_a_new_epoch_says_why(selling, damage):
    last = [selling.sell(sale()).json() for _ in range(4)][-1]
    selling.stop()
    path = selling.data / "ledger.db"
    damage(path)
    damaged = path.read_bytes()
    selling.start()
    answer = selling.sell(sale()).json()
    opening, _ = records(selling)
    assert opening["body"]["reason"] == "ledger_damaged"
    assert answer["receipt_no"] != last["receipt_no"]
    if opening["body"]["previous"]:
        assert opening["body"]["previous"] == {key: last[key] for key in ("epoch", "seq", "hash")}
        assert opening["epoch"] > last["epoch"]
    (kept,) = selling.data.glob("set-aside/*/ledger.db")
    assert kept.read_bytes() == damaged


def test_an_interrupted_setting_aside_is_finished_before_anything_else(selling):
    selling.sell(sale())
    selling.kill()
    folder = selling.data / "set-aside" / "earlier"
    folder.mkdir(parents=True)
    (selling.data / "ledger.db.setting-aside").write_text(str(folder))
    (selling.data / "ledger.db").rename(folder / "ledger.db")
    selling.start()
    assert len(records(selling)) == 1
    assert (folder / "ledger.db-wal").exists()
    assert not (selling.data / "ledger.db.setting-aside").exists()


def test_a_card_in_another_machine_opens_a_new_epoch_in_the_same_ledger(selling):
    last = selling.sell(sale()).json()
    selling.stop()
    selling.machine_id.write_text("machine-2\n")
    selling.start()
    answer = selling.sell(sale()).json()
    found = records(selling)
    assert [one["kind"] for one in found] == ["epoch_opened", "sale", "epoch_opened", "sale"]
    head = {key: last[key] for key in ("epoch", "seq", "hash")}
    assert found[2]["body"] == {"reason": "machine_changed", "previous": head}
    assert answer["receipt_no"][:6] != last["receipt_no"][:6]
    assert selling.health()["records"] == 4
    selling.stop()
    selling.start()
    assert selling.sell(sale()).json()["prev_hash"] == answer["hash"]


def test_a_ledger_of_another_till_never_goes_out_under_this_ones_name(selling):
    selling.sell(sale())
    selling.stop()
    selling.assign(thing="greentill-Y")
    selling.start()
    selling.sell(sale())
    found = records(selling)
    assert {one["thing"] for one in found} == {"greentill-Y"}
    assert found[0]["body"]["reason"] == "thing_changed"
    assert list(selling.data.glob("set-aside/*/ledger.db"))


def test_a_second_process_on_the_same_ledger_does_not_sell(selling, tmp_path):
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = Pos(other_folder, data_dir=str(selling.data))
    try:
        other.start(until="ledger_in_use")
        assert other.sell(sale()).status_code == 503
        assert selling.sell(sale()).status_code == 201
        selling.stop()
        other.wait("selling")
    finally:
        other.kill()
        other.client.close()


def test_a_full_disk_stops_selling_with_a_clear_error_before_a_commit_could_fail(pos):
    pos.configuration["reserve_bytes"] = 2**60
    pos.assign()
    pos.start(until="disk_full")
    answer = pos.sell(sale())
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "disk_full"
    pos.stop()
    pos.configuration["reserve_bytes"] = 0
    pos.start()
    assert pos.sell(sale()).status_code == 201


def test_the_wal_does_not_grow_without_bound(selling):
    wal = selling.data / "ledger.db-wal"
    line = {"sku": "1", "description": "x" * 150, "quantity": 1, "total": 1}
    for _ in range(150):
        selling.sell(sale(lines=[line] * 400))
    assert selling.health()["records"] == 151
    assert wal.stat().st_size < 12 * 1024 * 1024


def test_wrong_settings_are_said_and_the_till_sells_with_its_defaults(pos):
    pos.configuration.update({"quiet_seconds": "soon", "colour": "red"})
    pos.assign()
    pos.start()
    assert pos.sell(sale()).status_code == 201
    assert "quiet_seconds" in pos.log()
    assert "colour" in pos.log()


def test_a_nucleus_that_does_not_answer_costs_no_sale(pos, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", str(tmp_path / "none"))
    monkeypatch.setenv("SVCUID", "token")
    pos.assign()
    pos.start()
    assert pos.sell(sale()).status_code == 201
    assert "readers of the ledger are not woken" in pos.log()
