"""A fleet in moto's account: what a deploy of the Identity stack leaves, as far as kits need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fleet_provisioning.kits import Common, KitMaker
from infra.names import Names
from infra.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"


@dataclass(frozen=True)
class Account:
    session: Any
    names: Names
    settings: Settings

    @property
    def iot(self) -> Any:
        return self.session.client("iot")

    @property
    def table(self) -> Any:
        return self.session.resource("dynamodb").Table(self.names.registry_table)

    def maker(self, **common: Any) -> KitMaker:
        return KitMaker(self.session, self.names, self.settings, Common(root_ca="PEM\n", **common))

    def deploy(self) -> None:
        self.iot.create_policy(policyName=self.names.claim_policy, policyDocument="{}")
        kinds = {"thing": "S", "stage": "S", "claim_state": "S", "claim_expires_at": "N"}
        self.session.client("dynamodb").create_table(
            TableName=self.names.registry_table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": v} for k, v in kinds.items()],
            KeySchema=[{"AttributeName": "thing", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-stage",
                    "KeySchema": [
                        {"AttributeName": "stage", "KeyType": "HASH"},
                        {"AttributeName": "thing", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                },
                {
                    "IndexName": "by-claim",
                    "KeySchema": [
                        {"AttributeName": "claim_state", "KeyType": "HASH"},
                        {"AttributeName": "claim_expires_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["claim_certificate_id"]},
                },
            ],
        )

    def rows(self) -> list[dict[str, Any]]:
        return list(self.table.scan()["Items"])

    def certificates(self) -> list[dict[str, Any]]:
        return list(self.iot.list_certificates()["certificates"])


@pytest.fixture
def bare_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Credentials, but nothing deployed."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(config={"iot": {"use_valid_cert": True}}):
        session = boto3.Session(region_name=REGION)
        yield Account(session, Names("greentill", "123456789012", REGION), load(ROOT))


@pytest.fixture
def account(bare_account: Account) -> Account:
    bare_account.deploy()
    return bare_account
