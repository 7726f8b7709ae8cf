"""A kit made over real requests: its certificate comes from a signing request and belongs to its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fleet_provisioning import claims, kit_files
from fleet_provisioning.access import ROOT
from fleet_provisioning.kits import Common, KitMaker
from fleet_provisioning.order import Order
from infra.identity.policies import claim_policy
from infra.names import Names
from infra.settings import load


def made_by(names: Names, iot: Any) -> list[dict[str, Any]]:
    """The certificates that carry the fleet's claim policy."""
    targets = iot.list_targets_for_policy(policyName=names.claim_policy)["targets"]
    return [
        iot.describe_certificate(certificateId=one.rpartition("/")[2])["certificateDescription"]
        for one in targets
    ]


@pytest.mark.twin
def test_the_claim_certificate_belongs_to_the_key_in_the_kit(
    cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # A fleet of its own: others may be deploying theirs into the same cloud.
    names = Names("kittest", cloud.state.cloud.account, cloud.state.cloud.region)
    iot, dynamodb = cloud.client("iot"), cloud.client("dynamodb")
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    iot.create_policy(policyName=names.claim_policy, policyDocument=json.dumps(claim_policy(names)))
    dynamodb.create_table(
        TableName=names.registry_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "thing", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "thing", "KeyType": "HASH"}],
    )
    folder, arn = tmp_path / "kit", ""
    before: list[str] = []

    def write(*arguments: Any, **more: Any) -> None:
        """A claim can't be used before its kit is whole."""
        before.extend(one["status"] for one in made_by(names, iot))
        kit_files_write(*arguments, **more)

    kit_files_write = kit_files.write
    monkeypatch.setattr(kit_files, "write", write)
    try:
        maker = KitMaker(boto3.Session(region_name=names.region), names, load(ROOT), Common("PEM\n"))
        maker.make(Order("KITTEST1", "ST-367", "dev"), folder)
        certificate = x509.load_pem_x509_certificate((folder / "claim.pem.crt").read_bytes())
        key = load_pem_private_key((folder / "claim.private.key").read_bytes(), None)
        assert certificate.public_key() == key.public_key()
        key_of_row = {"thing": {"S": "kittest-KITTEST1"}}
        row = dynamodb.get_item(TableName=names.registry_table, Key=key_of_row)["Item"]
        claim = row["claim_certificate_id"]["S"]
        described = iot.describe_certificate(certificateId=claim)["certificateDescription"]
        arn = described["certificateArn"]
        assert (before, described["status"]) == (["INACTIVE"], "ACTIVE")
        assert claim == claims.certificate_id((folder / "claim.pem.crt").read_bytes())
        assert row["claim_state"] == {"S": "open"}
        policies = iot.list_attached_policies(target=arn)["policies"]
        assert [policy["policyName"] for policy in policies] == [names.claim_policy]
        settings = dict(line.split("=", 1) for line in (folder / "till.conf").read_text().splitlines())
        data = iot.describe_endpoint(endpointType="iot:Data-ATS")
        assert settings["IOT_DATA_ENDPOINT"] == data["endpointAddress"]
        assert settings["REGION"] == names.region
    finally:
        if arn:
            iot.detach_policy(policyName=names.claim_policy, target=arn)
            iot.update_certificate(certificateId=claim, newStatus="INACTIVE")
            iot.delete_certificate(certificateId=claim)
        iot.delete_policy(policyName=names.claim_policy)
        dynamodb.delete_table(TableName=names.registry_table)
