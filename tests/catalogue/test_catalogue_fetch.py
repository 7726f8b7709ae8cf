"""A till has its store's catalogue whole, or keeps the one that it had."""

from __future__ import annotations

import gzip
import json
import logging
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from edge_components.pos.catalogue import Catalogue
from edge_components.sync import catalogue as fetching
from edge_components.sync.catalogue import CatalogueFetcher
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import AssignmentError, CatalogueError, Kind, classify
from edge_components.sync.settings import Settings
from tests.catalogue.conftest import BUCKET, REGION, Publisher, product


class Till:
    """A till assigned to a store; `current` is the version that pos would take up."""

    def __init__(self, folder: Path, bucket: str = BUCKET) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.settings = Settings(data_dir=folder, thing="greentill-T1", region=REGION, artifact_bucket=bucket)
        self.assign("ST-367")
        self.start()

    def assign(self, store: str) -> None:
        self.settings.assignment.write_text(json.dumps({"store": store}))

    def start(self) -> None:
        self.cloud = Cloud(self.settings)
        self.fetcher = CatalogueFetcher(self.settings, self.cloud)

    def fetch(self) -> str | None:
        assert self.fetcher.step() is False
        return self.current()

    def current(self) -> str | None:
        shelf = Catalogue(self.settings.catalogue)
        shelf.look()
        version = shelf.version
        shelf.close()
        return version

    def files(self) -> set[str]:
        return {path.name for path in self.settings.catalogue.iterdir()}


@pytest.fixture
def till(s3: Any, tmp_path: Path) -> Till:
    return Till(tmp_path / "till")


def put(s3: Any, version: str, content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"catalogue/ST-367/{version}.sqlite.gz", Body=content)


class Counting:
    """Counts what is asked of S3 and how much of it is answered with content."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.keys: list[str] = []
        self.unchanged = 0

    def get_object(self, **request: Any) -> Any:
        self.keys.append(request["Key"])
        try:
            return self._client.get_object(**request)
        except ClientError as error:
            self.unchanged += error.response["Error"]["Code"] in ("304", "NotModified")
            raise


def test_a_published_catalogue_is_what_the_till_sells_by(till: Till, publisher: Publisher) -> None:
    made = publisher.publish(product("1"), product("2", barcodes=("501",)))
    assert till.fetch() == made.latest.version
    shelf = Catalogue(till.settings.catalogue)
    shelf.look()
    found = shelf.find("501")
    assert found is not None
    assert found.sku == "2"
    shelf.close()


def test_what_has_not_changed_is_not_fetched_again(till: Till, publisher: Publisher, s3: Any) -> None:
    publisher.publish(product())
    counting = Counting(s3)
    till.cloud._clients["s3"] = counting
    for _ in range(3):
        till.fetch()
    assert len([key for key in counting.keys if key.endswith(".gz")]) == 1
    assert counting.unchanged == 2


def test_a_restarted_sync_fetches_nothing_that_is_in_place(till: Till, publisher: Publisher) -> None:
    publisher.publish(product())
    till.fetch()
    till.start()
    counting = Counting(till.cloud.s3)
    till.cloud._clients["s3"] = counting
    till.fetch()
    assert counting.keys == ["catalogue/ST-367/latest.json"]


def test_the_previous_one_is_kept_and_older_ones_go(till: Till, publisher: Publisher) -> None:
    versions = []
    for price in ("1.00", "2.00", "3.00"):
        versions.append(publisher.publish(product(unit_price=price)).latest.version)
        till.fetch()
    assert till.files() == {"current.json", *(f"{version}.sqlite" for version in versions[1:])}


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Please log in</html>",
        gzip.compress(b"no database at all"),
        gzip.compress(b"\0" * 50_000_000),
        b"",
    ],
    ids=["a portal's page", "other bytes", "a bomb", "nothing"],
)
def test_a_damaged_catalogue_is_refused_and_the_old_one_stays(
    till: Till, publisher: Publisher, s3: Any, content: bytes
) -> None:
    before = publisher.publish(product(unit_price="1.00")).latest.version
    till.fetch()
    after = publisher.publish(product(unit_price="2.00")).latest.version
    good = s3.get_object(Bucket=BUCKET, Key=f"catalogue/ST-367/{after}.sqlite.gz")["Body"].read()
    put(s3, after, content)
    with pytest.raises(CatalogueError) as raised:
        till.fetcher.step()
    assert classify(raised.value) is Kind.MISSING
    assert till.current() == before
    assert till.files() == {"current.json", f"{before}.sqlite"}
    put(s3, after, good)
    assert till.fetch() == after


def test_one_flipped_byte_is_noticed(till: Till, publisher: Publisher, s3: Any) -> None:
    made = publisher.publish(*(product(str(number)) for number in range(200))).latest
    key = f"catalogue/ST-367/{made.version}.sqlite.gz"
    content = bytearray(gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()))
    content[-2_000] ^= 1
    put(s3, made.version, gzip.compress(bytes(content)))
    with pytest.raises(CatalogueError, match="did not arrive whole"):
        till.fetcher.step()
    assert till.current() is None


def test_another_stores_catalogue_is_refused_even_when_it_is_whole(
    till: Till, publisher: Publisher, s3: Any
) -> None:
    made = publisher.publish(product(), store="ST-999").latest
    for name in ("latest.json", f"{made.version}.sqlite.gz"):
        s3.copy_object(
            Bucket=BUCKET,
            Key=f"catalogue/ST-367/{name}",
            CopySource={"Bucket": BUCKET, "Key": f"catalogue/ST-999/{name}"},
        )
    with pytest.raises(CatalogueError, match=r"of ST-367 says .* of ST-999"):
        till.fetcher.step()


@pytest.mark.parametrize(
    "said",
    [
        {"version": "../../etc/passwd", "sha256": "0" * 64, "size": 1},
        {"version": "20261121T120000Z-01234567", "sha256": "x", "size": 1},
        {"version": "20261121T120000Z-01234567", "sha256": "0" * 64, "size": 10**12},
        {"version": "20261121T120000Z-01234567", "sha256": "0" * 64, "size": "1"},
        {"version": None},
        [],
    ],
)
def test_a_latest_json_that_makes_no_sense_is_refused(till: Till, s3: Any, said: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="catalogue/ST-367/latest.json", Body=json.dumps(said).encode())
    with pytest.raises(CatalogueError, match=r"latest\.json"):
        till.fetcher.step()


def test_a_snapshot_that_the_card_has_damaged_is_fetched_again(till: Till, publisher: Publisher) -> None:
    version = publisher.publish(product()).latest.version
    till.fetch()
    path = till.settings.catalogue / f"{version}.sqlite"
    content = bytearray(path.read_bytes())
    content[5_000:6_000] = b"\xff" * 1_000
    path.write_bytes(bytes(content))
    till.start()
    assert till.fetch() == version
    assert path.read_bytes() != bytes(content)


def test_a_snapshot_that_went_missing_is_fetched_again(till: Till, publisher: Publisher) -> None:
    version = publisher.publish(product()).latest.version
    till.fetch()
    (till.settings.catalogue / f"{version}.sqlite").unlink()
    assert till.fetch() == version


def test_a_store_without_a_catalogue_is_no_trouble_and_said_once(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sync")
    for _ in range(3):
        assert till.fetch() is None
    assert [record.message for record in caplog.records] == [
        "store ST-367 has no catalogue, or this till may not read it"
    ]


def test_a_till_that_moves_gets_the_other_stores_catalogue(till: Till, publisher: Publisher) -> None:
    publisher.publish(product())
    till.fetch()
    other = publisher.publish(product(), store="ST-406").latest.version
    till.assign("ST-406")
    assert till.fetch() == other


def test_a_till_without_an_assignment_waits(till: Till) -> None:
    till.settings.assignment.unlink()
    with pytest.raises(AssignmentError):
        till.fetcher.step()


def test_a_catalogue_never_takes_the_room_that_selling_needs(
    till: Till, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(product())
    monkeypatch.setattr(fetching, "ROOM_BYTES", 10**18)
    with pytest.raises(CatalogueError, match="too few"):
        till.fetcher.step()
    assert till.current() is None


def test_what_a_power_cut_left_half_fetched_is_cleared_away(till: Till, publisher: Publisher) -> None:
    version = publisher.publish(product()).latest.version
    till.settings.catalogue.mkdir()
    (till.settings.catalogue / ".20261120T120000Z-01234567.partial").write_bytes(b"half")
    till.fetch()
    assert till.files() == {"current.json", f"{version}.sqlite"}


@pytest.mark.twin
def test_a_catalogue_published_to_the_twin_arrives_and_is_asked_for_conditionally(
    cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"catalogue-{uuid.uuid4().hex[:8]}"
    client = cloud.client("s3")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    (tmp_path / "work").mkdir()
    publisher = Publisher(client, bucket, tmp_path / "work")
    till = Till(tmp_path / "till", bucket)
    assert till.fetch() is None
    counting = Counting(till.cloud.s3)
    till.cloud._clients["s3"] = counting
    for price in ("1.00", "2.00"):
        version = publisher.publish(product(unit_price=price)).latest.version
        assert till.fetch() == version
        assert till.fetch() == version
    assert counting.unchanged == 2
    for entry in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=entry["Key"])
    client.delete_bucket(Bucket=bucket)
