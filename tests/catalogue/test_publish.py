"""A catalogue in S3 is whole before it is named, and one name never means two contents."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import apsw
import pytest
from botocore.exceptions import ClientError

from catalogue.errors import CatalogueError
from catalogue.publish import Shelf, latest, publish
from tests.catalogue.conftest import BUCKET, NOON, Publisher, product, shop


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def snapshot(s3: Any, key: str, folder: Path) -> apsw.Connection:
    path = folder / "fetched.sqlite"
    path.write_bytes(gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()))
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)


def test_a_store_gets_a_snapshot_and_its_name(s3: Any, publisher: Publisher, tmp_path: Path) -> None:
    outcome = publisher.publish(product("1", barcodes=("501", "502")), product("2", department=None))
    version = outcome.latest.version
    assert version.startswith("20261121T120100Z-")
    key = f"catalogue/ST-367/{version}.sqlite.gz"
    assert sorted(keys(s3)) == sorted([key, "catalogue/ST-367/latest.json"])
    said = json.loads(s3.get_object(Bucket=BUCKET, Key="catalogue/ST-367/latest.json")["Body"].read())
    content = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (said["version"], said["sha256"], said["size"], said["made_at"]) == (
        version,
        hashlib.sha256(content).hexdigest(),
        len(content),
        "2026-11-21T12:01:00Z",
    )
    found = snapshot(s3, key, tmp_path)
    assert dict(found.execute("SELECT key, value FROM meta")) == {
        "version": version,
        "store": "ST-367",
        "currency": "USD",
    }
    assert list(found.execute("SELECT * FROM items ORDER BY sku")) == [
        ("1", "Whole milk 1", "Dairy", "3.89", "F", "each"),
        ("2", "Whole milk 2", None, "3.89", "F", "each"),
    ]
    assert list(found.execute("SELECT * FROM barcodes ORDER BY barcode")) == [("501", "1"), ("502", "1")]
    found.close()


def test_the_same_products_again_are_no_new_version(s3: Any, publisher: Publisher) -> None:
    first = publisher.publish(product("1"), product("2"))
    again = publisher.publish(product("2"), product("1"))
    assert (first.changed, again.changed) == (True, False)
    assert again.latest == first.latest
    assert len(keys(s3)) == 2


def test_another_price_or_currency_is_a_new_version_and_the_old_one_stays(
    s3: Any, publisher: Publisher
) -> None:
    made = [
        publisher.publish(product(unit_price="1.00")),
        publisher.publish(product(unit_price="1.01")),
        publisher.publish(product(unit_price="1.01"), currency="CAD"),
    ]
    assert len({one.latest.version for one in made}) == 3
    assert len(keys(s3)) == 4
    assert latest(s3, BUCKET, "ST-367") == made[-1].latest


def test_the_name_is_given_last_so_that_no_till_hears_of_half_a_catalogue(
    s3: Any, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publisher.publish(product(unit_price="1.00")).latest
    put = s3.put_object

    def interrupted(**request: Any) -> Any:
        if request["Key"].endswith(".gz"):
            raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")
        return put(**request)

    monkeypatch.setattr(s3, "put_object", interrupted)
    with pytest.raises(ClientError):
        publisher.publish(product(unit_price="2.00"))
    assert latest(s3, BUCKET, "ST-367") == before


def test_what_was_put_before_an_answer_was_lost_is_recognized(s3: Any, publisher: Publisher) -> None:
    made = publisher.publish(product()).latest
    s3.delete_object(Bucket=BUCKET, Key="catalogue/ST-367/latest.json")
    (again,) = publish(publisher.shelf, [product()], [shop()], publisher.now, lambda _: None)
    assert again.latest == made
    assert latest(s3, BUCKET, "ST-367") == made


def test_a_version_is_never_overwritten_with_other_content(s3: Any, publisher: Publisher) -> None:
    made = publisher.publish(product()).latest
    key = f"catalogue/ST-367/{made.version}.sqlite.gz"
    s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(b"something else"))
    s3.delete_object(Bucket=BUCKET, Key="catalogue/ST-367/latest.json")
    with pytest.raises(CatalogueError, match="is there with other content"):
        publish(publisher.shelf, [product()], [shop()], publisher.now, lambda _: None)
    assert latest(s3, BUCKET, "ST-367") is None


def test_every_store_has_its_own(s3: Any, publisher: Publisher) -> None:
    stores = [shop("ST-1"), shop("ST-2", "CAD")]
    said: list[str] = []
    made = publish(publisher.shelf, [product()], stores, NOON, said.append)
    assert [one.store for one in made] == ["ST-1", "ST-2"]
    assert made[0].latest.sha256 != made[1].latest.sha256
    assert len(said) == 2


def test_a_dry_run_says_what_would_be_published_and_writes_nothing(s3: Any, tmp_path: Path) -> None:
    shelf = Shelf(s3, BUCKET, tmp_path, dry_run=True)
    (outcome,) = publish(shelf, [product()], [shop()], NOON, lambda _: None)
    assert outcome.changed
    assert outcome.latest.size > 0
    assert keys(s3) == []


def test_a_latest_json_that_is_none_is_told(s3: Any, publisher: Publisher) -> None:
    s3.put_object(Bucket=BUCKET, Key="catalogue/ST-367/latest.json", Body=b"{}")
    with pytest.raises(CatalogueError, match=r"latest\.json is not as this version writes it"):
        publisher.publish(product())
