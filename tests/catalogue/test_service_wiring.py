"""sync as a whole brings sums out and catalogues in, whatever else does not work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_components.pos.catalogue import Catalogue
from edge_components.sync.service import Service
from edge_components.sync.settings import Settings
from tests.aggregator.conftest import REGION, TABLE, items, make_table
from tests.aggregator.ledger_in_front import THING, expected
from tests.aggregator.test_aggregation import Till
from tests.catalogue.conftest import BUCKET, Publisher, product
from tests.waiting import wait_for


def service(folder: Path, **names: Any) -> Service:
    found = Service(
        Settings(
            sales_table="absent",
            sales_bucket="absent",
            registry_table="absent",
            thing=THING,
            region=REGION,
            data_dir=folder,
            rollups_seconds=0.1,
            catalogue_seconds=0.1,
            retry_cap_seconds=0.2,
            **names,
        )
    )
    found.start()
    return found


def told(dynamodb: Any) -> dict[str, Any]:
    return {bucket: json.loads(item["payload"]["S"]) for bucket, item in items(dynamodb).items()}


def taken_up(shelf: Catalogue) -> str | None:
    shelf.look()
    return shelf.version


def test_sums_go_out_and_catalogues_come_in_while_the_sinks_of_sales_fail(
    s3: Any, publisher: Publisher, tmp_path: Path
) -> None:
    import boto3

    dynamodb = boto3.client("dynamodb", region_name=REGION)
    make_table(dynamodb, TABLE)
    till = Till(tmp_path)
    (tmp_path / "assignment.json").write_text(json.dumps({"store": "ST-367"}))
    shelf = Catalogue(tmp_path / "catalogue")
    running = service(tmp_path, rollups_table=TABLE, artifact_bucket=BUCKET)
    try:
        for price in ("1.00", "2.00"):
            till.ledger.ring()
            till.count()
            wait_for(lambda: told(dynamodb) == expected(till.ledger.records))
            made = publisher.publish(product(unit_price=price)).latest
            wait_for(lambda: taken_up(shelf) == made.version)  # noqa: B023 - asked before the loop goes on
    finally:
        running.stop()
        shelf.close()
        till.end()


def test_a_configuration_from_before_sums_and_catalogues_still_works(s3: Any, tmp_path: Path) -> None:
    running = service(tmp_path)
    names = {worker._duty.name for worker in running._workers}
    running.stop()
    assert not names & {"rollups", "catalogue"}
