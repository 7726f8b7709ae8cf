"""Numbers that the cloud has seen are not given out again, whatever image a card was restored from."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_components.edgekit.files import write_json
from edge_components.pos import retention
from edge_components.pos.cloud_heads import CloudHead, CloudHeadFile, follow
from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_selling import records
from tests.pos.till_ledger import DAY, LedgerInTest
from tests.waiting import wait_for


@pytest.fixture
def till(tmp_path: Path) -> Iterator[LedgerInTest]:
    opened = LedgerInTest(tmp_path)
    yield opened
    opened.ledger.connection.close()


def followed(till: LedgerInTest, head: CloudHead) -> bool:
    opened = []
    with till.ledger.connection:
        opened.append(follow(till.ledger, head))
    return opened[0]


def head_of(record: dict[str, Any]) -> CloudHead:
    return CloudHead(record["epoch"], record["seq"], record["hash"])


def restored(till: LedgerInTest, folder: Path) -> LedgerInTest:
    """The till as an image of its card has it, taken now and put into a card later."""
    folder.mkdir()
    till.ledger.connection.close()
    for path in till.folder.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
    till.ledger = till.open()
    found = LedgerInTest(folder)
    found.count, found.clock.wall = till.count + 100, till.clock.wall
    return found


def test_a_cloud_that_is_ahead_begins_a_new_epoch_that_names_its_head(till):
    till.sell()
    position = till.ledger.position
    for behind in (
        CloudHead(position.epoch, position.seq, position.hash),
        CloudHead(position.epoch, 1, till.records()[0]["hash"]),
        CloudHead("0" * 16, 99, "0" * 64),
    ):
        assert follow(till.ledger, behind) is False
    ahead = CloudHead(position.epoch, position.seq + 3, "a" * 64)
    with till.ledger.connection:
        assert follow(till.ledger, ahead) is True
    opening = till.records()[-1]
    assert opening["body"]["reason"] == "cloud_ahead"
    assert opening["body"]["previous"] == {"epoch": ahead.epoch, "seq": ahead.seq, "hash": ahead.hash}
    assert opening["epoch"] > position.epoch
    assert follow(till.ledger, ahead) is False


def test_a_cloud_that_says_something_else_of_the_same_number_begins_a_new_epoch(till):
    till.sell()
    position = till.ledger.position
    with till.ledger.connection:
        assert follow(till.ledger, CloudHead(position.epoch, position.seq, "b" * 64)) is True
    assert till.sell()["receipt_no"].endswith("-000000001")


def test_a_running_till_hears_of_a_cloud_that_is_ahead(selling):
    receipt = selling.sell(sale()).json()
    head = {"epoch": receipt["epoch"], "seq": receipt["seq"] + 1, "hash": "c" * 64, "time": "t"}
    (selling.data / "cloud_heads.part").write_text(json.dumps(head))
    (selling.data / "cloud_heads.part").replace(selling.data / "cloud_heads.json")
    following = receipt
    for _ in range(1_200):
        if following["epoch"] > receipt["epoch"]:
            break
        time.sleep(0.1)
        following = selling.sell(sale()).json()
    assert following["epoch"] > receipt["epoch"]
    assert following["receipt_no"] != receipt["receipt_no"]
    assert selling.health()["records"] == len(records(selling))


def test_a_restored_card_that_sold_beyond_the_clouds_head_begins_a_new_epoch_once(till, tmp_path):
    """Its numbers overtook those that the cloud has, so none of them looks new by itself."""
    [till.sell() for _ in range(5)]
    image = restored(till, tmp_path / "image")
    in_the_cloud = [till.sell(amount=100) for _ in range(3)][-1]
    forked = [image.sell(amount=200) for _ in range(9)]
    assert in_the_cloud["epoch"] == forked[0]["epoch"]
    assert in_the_cloud["seq"] < forked[-1]["seq"]
    assert followed(image, head_of(in_the_cloud)) is True
    opening = image.records()[-1]
    assert opening["body"]["reason"] == "cloud_ahead"
    assert opening["body"]["previous"] == {key: in_the_cloud[key] for key in ("epoch", "seq", "hash")}
    image.reopen()
    assert followed(image, head_of(in_the_cloud)) is False
    assert image.sell()["epoch"] == opening["epoch"]
    image.ledger.connection.close()


def test_a_fork_in_an_epoch_that_is_closed_is_told_in_a_new_one_once(till, tmp_path):
    """The restored card went into another machine, which began an epoch of its own."""
    [till.sell() for _ in range(5)]
    image = restored(till, tmp_path / "image")
    beyond = [till.sell() for _ in range(20)]
    [image.sell(amount=200) for _ in range(3)]
    (image.folder / "machine-id").write_text("another")
    image.reopen()
    image.sell()
    for head in (head_of(beyond[1]), head_of(beyond[-1])):  # another record here; none at all
        assert followed(image, head) is True
        assert followed(image, head) is False
    reasons = [one["body"]["reason"] for one in image.records() if one["kind"] == "epoch_opened"]
    assert reasons == ["new_ledger", "machine_changed", "cloud_ahead", "cloud_ahead"]
    image.ledger.connection.close()


def test_what_retention_dropped_is_no_fork(till, monkeypatch):
    monkeypatch.setattr(retention, "KEPT", 5)
    sold = [till.sell() for _ in range(20)]
    till.clock.wall += 500 * DAY
    for consumer in ("sync", "aggregator"):
        till.cursor(consumer, sold[-1]["epoch"], sold[-1]["seq"])
    with till.ledger.connection:
        old = retention.before(till.clock.now(), 400)
        assert retention.drop(till.ledger, (sold[-1]["epoch"], sold[-1]["seq"]), old)
    assert followed(till, head_of(sold[2])) is False
    last_dropped = sold[till.records()[0]["seq"] - 3]
    assert followed(till, head_of(last_dropped)) is False
    assert followed(till, CloudHead(last_dropped["epoch"], last_dropped["seq"], "a" * 64)) is True


def test_a_head_that_could_not_be_followed_is_followed_later(tmp_path):
    write_json(tmp_path / "cloud_heads.json", {"epoch": "0" * 16, "seq": 1, "hash": "a" * 64, "time": "t"})
    file = CloudHeadFile(tmp_path / "cloud_heads.json")
    assert file.changed() is not None
    assert file.changed() is None
    file.again()
    assert file.changed() is not None


def test_a_running_till_on_a_restored_card_that_sold_on_hears_of_the_fork(selling: Pos) -> None:
    selling.sell(sale())
    selling.stop()
    image = selling.folder / "image"
    shutil.copytree(selling.data, image)
    selling.start()
    in_the_cloud = [selling.sell(sale()).json() for _ in range(2)][-1]
    selling.kill()
    shutil.rmtree(selling.data)
    shutil.copytree(image, selling.data)
    selling.start()
    forked = [selling.sell(sale()).json() for _ in range(6)][-1]
    assert (forked["epoch"], forked["seq"] > in_the_cloud["seq"]) == (in_the_cloud["epoch"], True)
    told = {key: in_the_cloud[key] for key in ("epoch", "seq", "hash")}
    write_json(selling.data / "cloud_heads.json", {**told, "time": "t"})
    wait_for(lambda: selling.health()["epoch"] > forked["epoch"], selling.log)
    assert selling.sell(sale()).json()["epoch"] == selling.health()["epoch"]
    openings = [one["body"] for one in records(selling) if one["kind"] == "epoch_opened"]
    assert [one["reason"] for one in openings] == ["new_ledger", "cloud_ahead"]
    assert openings[-1]["previous"] == told


@pytest.mark.parametrize("epoch", ["f" * 16, "0xab", " 1", "-1", "A" * 16, 7, None])
def test_a_head_that_no_till_can_have_opens_no_epoch(tmp_path: Path, epoch: object) -> None:
    """Nothing could follow the last epoch that there is: the till could never begin another one."""
    path = tmp_path / "cloud_heads.json"
    write_json(path, {"epoch": epoch, "seq": 5, "hash": "a" * 64})
    assert CloudHeadFile(path).changed() is None
