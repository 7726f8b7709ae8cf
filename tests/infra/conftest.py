"""The templates of a fleet on paper, and AWS in this process for the functions' code."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_cdk import App
from aws_cdk.assertions import Template
from moto import mock_aws

from infra.fleet import build_app
from infra.names import Names
from tests.infra.paper_fleet import FLEET_TOML, write_component, write_release


@pytest.fixture(scope="session")
def fleet_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone's settings with two built versions of Pos, of which dev runs the newer one."""
    root = tmp_path_factory.mktemp("fleet")
    (root / "fleet.toml").write_text(FLEET_TOML + '\n[tills.LOBBY0001]\nstore = "ST-367"\nstage = "dev"\n')
    write_component(root / "dist", "Pos", "1.0.0")
    digest = write_component(root / "dist", "Pos", "1.1.0", b"newer code")
    write_release(root, "dev", Pos=("1.1.0", digest))
    write_release(root, "prod")
    return root


@pytest.fixture(scope="session")
def app(fleet_root: Path, tmp_path_factory: pytest.TempPathFactory) -> App:
    built = build_app(fleet_root, tmp_path_factory.mktemp("cdk.out"))
    built.synth()
    return built


@pytest.fixture(scope="session")
def template(app: App) -> Callable[[str], Template]:
    """The template of a stack by its part, such as `Storage`."""
    cache: dict[str, Template] = {}

    def find(part: str) -> Template:
        if part not in cache:
            stack: Any = app.node.find_child(f"Greentill-{part}")
            cache[part] = Template.from_stack(stack)
        return cache[part]

    return find


@pytest.fixture
def names() -> Names:
    return Names("greentill", "123456789012", "eu-west-1")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process, with nothing in the environment that leads elsewhere."""
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with mock_aws():
        yield


@pytest.fixture
def registry(aws: None, names: Names, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The registry table, empty, and the environment of the functions that use it."""
    monkeypatch.setenv("REGISTRY_TABLE", names.registry_table)
    monkeypatch.setenv("FLEET", names.fleet)
    monkeypatch.setenv("ACCOUNT", names.account)
    kinds = {"thing": "S", "claim_state": "S", "claim_expires_at": "N"}
    return boto3.resource("dynamodb").create_table(
        TableName=names.registry_table,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in kinds.items()],
        KeySchema=[{"AttributeName": "thing", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-claim",
                "KeySchema": [
                    {"AttributeName": "claim_state", "KeyType": "HASH"},
                    {"AttributeName": "claim_expires_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["claim_certificate_id"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
