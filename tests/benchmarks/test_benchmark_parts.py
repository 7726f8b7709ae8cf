"""What benchmarks stand on: percentiles, long ledgers, a sink that keeps nothing, peers really asked."""

from __future__ import annotations

import random
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from benchmarks import drains, ledgers
from benchmarks.drains import Target
from benchmarks.figure import Figure, Workshop
from benchmarks.null_sink import null_sink
from benchmarks.peer_kinds import CsvFile, Greentill, Peer, PersistQueue
from benchmarks.peers import sales
from benchmarks.statistics_of import percentile, ratio
from edge_components.edgekit import record
from edge_components.edgekit.ledger import LedgerReader
from infra.names import Names
from tests.faults import disk
from tests.faults.image import Disk, materialise

NAMES = Names("bench", "000000000000", "eu-west-1")


def test_a_percentile_is_a_sample_and_a_ratio_the_median_of_the_rounds() -> None:
    assert percentile([*range(1, 101)], 0.99) == 100
    assert percentile([5.0], 0.999) == 5.0
    assert ratio([2.0, 30.0, 4.0], [1.0, 10.0, 4.0]) == 2.0


def test_a_figure_knows_whether_its_goal_is_met() -> None:
    assert Figure.at_most("a", 2.0, "x", 2.0).met
    assert not Figure.at_least("a", 0.79, "x", 0.8).met
    assert Figure.told("a", 1.0, "s").document() == {"name": "a (s)", "value": 1.0, "goal": None, "met": None}


def test_the_sizes_of_a_benchmark_follow_its_option(tmp_path: Path) -> None:
    assert [Workshop(tmp_path, print, full).size(1, 9) for full in (False, True)] == [1, 9]


def test_a_long_ledger_is_one_chain_that_a_till_sells_on(tmp_path: Path) -> None:
    till = ledgers.make(tmp_path, 700)
    till.start("pos")
    try:
        till.until_selling()
        assert till.health()["records"] == 700
    finally:
        till.stop()
    with LedgerReader(till.data / "ledger.db") as reader:
        rows = [*reader.after("", 0), *reader.after(reader.heads()[0].epoch, 500)]
    assert len(rows) == 700
    assert record.first_break(record.parse(row.record) for row in rows) is None


def test_sync_and_the_bare_loop_both_drain_a_ledger_into_nothing(tmp_path: Path) -> None:
    till = ledgers.make(tmp_path / "till", 60)
    with null_sink(tmp_path) as (port, ca):
        target = Target.at(port, ca, NAMES)
        ours = drains.by_sync(till, tmp_path / "sync", target, "SYNC")
        bare = drains.by_bare_loop(till, target, "BARE")
    assert min(ours.seconds, bare.seconds, bare.cpu) > 0


def test_the_sink_takes_what_the_services_take(tmp_path: Path) -> None:
    with null_sink(tmp_path) as (port, ca):
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1")
        options = {"endpoint_url": f"https://127.0.0.1:{port}", "verify": str(ca), "config": Config()}
        dynamodb, s3 = session.client("dynamodb", **options), session.client("s3", **options)
        item = {"PutRequest": {"Item": {"pk": {"S": "1"}}}}
        assert dynamodb.batch_write_item(RequestItems={"t": [item]})["UnprocessedItems"] == {}
        assert s3.put_object(Bucket="b", Key="k", Body=b"x" * 100_000, IfNoneMatch="*")["ETag"]
        assert s3.list_objects_v2(Bucket="b")["KeyCount"] == 0


@pytest.mark.parametrize("kind", [Greentill, CsvFile, PersistQueue])
def test_a_peer_keeps_each_sale_once_and_says_so(tmp_path: Path, kind: type[Peer]) -> None:
    folder, journal = tmp_path / "data", tmp_path / "journal"
    folder.mkdir()
    peer, before, sold = kind(), Disk(folder), sales(8)
    assert len(peer.keep(folder, sold, disk.environment(folder, journal=journal))) == 8
    played = list(disk.entries(journal))
    assert len(peer.told(played)) == 8
    before.play(played)
    assert peer.present(folder) == dict.fromkeys(range(8), 1)
    peer.keep(folder, sold[7:], {})
    assert peer.present(folder)[7] == (1 if kind is Greentill else 2)


def test_a_power_cut_takes_from_a_file_what_its_writer_did_not_sync(tmp_path: Path) -> None:
    folder, journal = tmp_path / "data", tmp_path / "journal"
    folder.mkdir()
    peer, before = CsvFile(), Disk(folder)
    peer.keep(folder, sales(5), disk.environment(folder, journal=journal))
    before.play(disk.entries(journal))
    materialise(before.worst(), tmp_path / "worst")
    assert not peer.present(tmp_path / "worst")
    before.image(random.Random(1))  # noqa: S311 - a cut takes at random, and never fails
