"""The cloud's part in a rotation, deployed: rule, function, shadow, certificates, and a device that asks."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet_provisioning import rotate
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.revoke import revoke
from infra.identity.rotation import orders
from tests.cloud.devices import Device, Identity, signing_request
from tests.conftest import Cloud
from tests.provisioning.identity_in_the_cloud import Deployed, deploy
from tests.provisioning.whole_fleet import wait_for

pytestmark = pytest.mark.twin


@pytest.fixture(scope="module")
def deployed(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return deploy(cloud, tmp_path_factory.mktemp("rotation"), f"r{uuid.uuid4().hex[:8]}")


def topic(thing: str, suffix: str) -> str:
    return f"$aws/things/{thing}/shadow/name/certificate/{suffix}"


def report(device: Device, thing: str, **reported: Any) -> None:
    device.publish(topic(thing, "update"), {"state": {"reported": reported}})


def signed(deployed: Deployed, thing: str) -> dict[str, Any]:
    """What the shadow wants once the cloud has signed."""
    wait_for("a certificate", lambda: deployed.shadow(thing).get("desired", {}).get("certificate_pem"))
    return dict(deployed.shadow(thing)["desired"])


def ordered(deployed: Deployed, serial: str) -> tuple[str, Identity, str]:
    thing, identity = deployed.till(serial)
    return thing, identity, rotate.start(deployed.fleet, deployed.fleet.till(serial)).rotation


def test_a_till_that_asks_gets_a_certificate_and_loses_the_old_one_only_when_it_has_swapped(
    deployed: Deployed,
) -> None:
    thing, identity, rotation = ordered(deployed, "ROT00001")
    before = set(deployed.certificates(thing))
    key, request = signing_request(thing)
    with deployed.device(identity, thing) as device:
        report(device, thing, rotation=rotation, state="requested", csr=request)
        wanted = signed(deployed, thing)
        new = wanted["certificate_id"]
        assert wanted["rotation"] == rotation
        assert deployed.certificates(thing) == dict.fromkeys((*before, new), "ACTIVE")
        assert "csr" not in deployed.shadow(thing)["reported"]
        row = deployed.row(thing)
        assert (row["rotation"]["state"], row["rotation"]["certificate_id"]) == ("signed", new)
        assert set(row["certificate_ids"]) == {*before, new}
    with deployed.device(Identity(wanted["certificate_pem"], key), thing) as device:
        report(device, thing, rotation=rotation, state="swapped", certificate_id=new)
        row = deployed.until(thing, lambda row: row["rotation"]["state"] == "swapped", "the end")
    assert row["certificate_ids"] == [new]
    assert set(row["retired_certificate_ids"]) == before
    assert row["certificate_expires_at"] > row["certificate_made_at"]
    assert deployed.certificates(thing) == {new: "ACTIVE"}
    wait_for("a tidy shadow", lambda: not deployed.shadow(thing).get("desired"))
    with pytest.raises(Exception, match=r"(?i)refused|closed|unauthor|not authorized|hang"):
        deployed.device(identity, thing).__enter__()


def test_however_often_a_till_asks_there_is_one_certificate_for_a_rotation(deployed: Deployed) -> None:
    thing, identity, rotation = ordered(deployed, "ROT00002")
    _key, request = signing_request(thing)
    with deployed.device(identity, thing) as device:
        for _ in range(5):
            report(device, thing, rotation=rotation, state="requested", csr=request)
        new = signed(deployed, thing)["certificate_id"]
        report(device, thing, rotation=rotation, state="failed", reason="the end of the test")
        deployed.until(thing, lambda row: row["rotation"]["state"] == "failed", "the end")
    assert new not in deployed.certificates(thing)
    assert len(deployed.certificates(thing)) == 1


def test_a_till_can_order_no_certificate_by_itself(deployed: Deployed) -> None:
    thing, identity = deployed.till("ROT00003")
    _key, request = signing_request(thing)
    other, other_identity, rotation = ordered(deployed, "ROT00004")
    with deployed.device(identity, thing) as device:
        report(device, thing, rotation="mine", state="requested", csr=request)
        report(device, thing, rotation=rotation, state="requested", csr=request)
    # what comes later through the same function and is answered shows that the others were heard
    with deployed.device(other_identity, other) as device:
        report(device, other, rotation=rotation, state="requested", csr=request)
        signed(deployed, other)
    assert len(deployed.certificates(thing)) == 1
    assert "rotation" not in deployed.row(thing)


def test_a_request_that_cannot_be_signed_fails_with_its_reason_and_costs_nothing(deployed: Deployed) -> None:
    thing, identity, rotation = ordered(deployed, "ROT00005")
    with deployed.device(identity, thing) as device:
        report(device, thing, rotation=rotation, state="requested", csr="no request at all")
        row = deployed.until(thing, lambda row: row["rotation"]["state"] == "failed", "a failure")
    assert "can't be signed" in row["rotation"]["reason"]
    assert len(deployed.certificates(thing)) == 1


def test_a_rotation_that_is_under_way_is_resumed_not_doubled(deployed: Deployed) -> None:
    thing, _identity, rotation = ordered(deployed, "ROT00006")
    again = rotate.start(deployed.fleet, deployed.fleet.till("ROT00006"))
    assert (again.rotation, again.started) == (rotation, False)
    assert deployed.shadow(thing)["desired"] == {"rotation": rotation}


def test_an_order_that_was_cut_off_before_the_till_was_told_is_finished_by_the_next(
    deployed: Deployed,
) -> None:
    thing, _identity = deployed.till("ROT00007")
    fleet = deployed.fleet
    table = fleet.session.resource("dynamodb").Table(fleet.names.registry_table)

    class CutOffError(Exception):
        pass

    class Dead:
        def update_thing_shadow(self, **_: Any) -> None:
            raise CutOffError

    with pytest.raises(CutOffError):
        orders.order(table, Dead(), thing, by="tester")
    again = rotate.start(fleet, fleet.till("ROT00007"))
    assert again.started is False
    assert deployed.shadow(thing)["desired"] == {"rotation": again.rotation}


def test_a_revoked_till_gets_nothing_even_for_a_rotation_that_was_ordered(deployed: Deployed) -> None:
    thing, _identity, rotation = ordered(deployed, "ROT00008")
    fleet = deployed.fleet
    revoke(fleet, fleet.till("ROT00008"), "stolen")
    _key, request = signing_request(thing)
    function = deployed.cloud.client("lambda")
    event = {"thing": thing, "reported": {"rotation": rotation, "state": "requested", "csr": request}}
    answer = function.invoke(
        FunctionName=deployed.names.function("rotation"), Payload=json.dumps(event).encode()
    )
    assert json.loads(answer["Payload"].read())["outcome"] == "ignored"
    assert deployed.certificates(thing) == {}
    with pytest.raises(ProvisioningError, match="only a provisioned till can rotate"):
        rotate.start(fleet, fleet.till("ROT00008"))


def test_the_daily_watch_orders_for_certificates_that_expire_soon_and_for_no_others(
    deployed: Deployed,
) -> None:
    now = datetime.now(UTC)
    soon, _ = deployed.till("ROT00009", certificate_expires_at=orders.stamp(now + timedelta(days=10)))
    later, _ = deployed.till("ROT00010", certificate_expires_at=orders.stamp(now + timedelta(days=1000)))
    function = deployed.cloud.client("lambda")
    answer = function.invoke(
        FunctionName=deployed.names.function("rotation"), Payload=b'{"source": "aws.events"}'
    )
    assert json.loads(answer["Payload"].read()) == {"outcome": "ordered", "rotations": 1}
    assert deployed.row(soon)["rotation"]["requested_by"] == "expiry watch"
    assert deployed.shadow(soon)["desired"]["rotation"] == deployed.row(soon)["rotation"]["id"]
    assert "rotation" not in deployed.row(later)
    answer = function.invoke(FunctionName=deployed.names.function("rotation"), Payload=b"{}")
    assert json.loads(answer["Payload"].read())["rotations"] == 0


def test_a_row_says_who_is_connected_since_when_and_with_what(deployed: Deployed, tmp_path: Path) -> None:
    thing, identity = deployed.till("ROT00011")
    with deployed.device(identity, thing):
        row = deployed.until(thing, lambda row: row.get("certificate_expires_at"), "the connection")
        assert row["connected"] is True
        assert row["connected_certificate"] in deployed.certificates(thing)
    row = deployed.until(thing, lambda row: row["connected"] is False, "the end of the connection")
    assert row["disconnected_at"] >= row["connected_at"]
