"""No template grows with the number of tills: synthesized beside a registry of 1, 100 and 10,000."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from benchmarks.cdk import synth
from benchmarks.figure import ROOT, Figure, Workshop
from infra.names import Names
from infra.settings import load
from twin import cloud

REGISTRIES = (1, 100, 10_000)


def measure(workshop: Workshop) -> Iterator[Figure]:
    """The registry is a real table in the twin's cloud, which the synthesis could read if it tried."""
    state = cloud.start(workshop.scratch / "twin")
    try:
        environment = cloud.environment(state)
        names = Names(load(ROOT).fleet.name, state.cloud.account, state.cloud.region)
        table = _registry(environment, names)
        first: tuple[int, str] | None = None
        rows = 0
        for wanted in REGISTRIES:
            workshop.say(f"templates with {wanted:,} tills in the registry")
            rows = _fill(table, names, rows, wanted)
            output = workshop.scratch / f"templates-{wanted}"
            synth(ROOT / "app.py", output, environment)
            size, digest = _templates(output)
            first = first or (size, digest)
            yield Figure(
                f"templates with {wanted:,} tills in the registry",
                size,
                "bytes",
                first[0],
                digest == first[1],
            )
    finally:
        cloud.stop(workshop.scratch / "twin")


def _registry(environment: dict[str, str], names: Names) -> Any:
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=names.region,
    )
    dynamodb = session.resource(
        "dynamodb", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=environment["AWS_CA_BUNDLE"]
    )
    return dynamodb.create_table(
        TableName=names.registry_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "thing", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "thing", "KeyType": "HASH"}],
    )


def _fill(table: Any, names: Names, rows: int, wanted: int) -> int:
    with table.batch_writer() as batch:
        for number in range(rows, wanted):
            batch.put_item(
                Item={"thing": names.thing(f"BENCH{number:05d}"), "stage": "dev", "state": "pending"}
            )
    return wanted


def _templates(output: Path) -> tuple[int, str]:
    """Bytes of all templates together, and a digest over them."""
    total, digest = 0, hashlib.sha256()
    for path in sorted(output.rglob("*.template.json")):
        body = path.read_bytes()
        total += len(body)
        digest.update(path.name.encode() + b"\0" + body)
    return total, digest.hexdigest()
