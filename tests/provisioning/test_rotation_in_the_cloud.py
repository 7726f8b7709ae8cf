"""The cloud's part in a rotation, deployed: rule, function, shadow, certificates, and a device that asks."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from fleet_provisioning import rotate
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.move import Destination, move
from fleet_provisioning.revoke import revoke
from infra.identity.rotation import orders
from infra.identity.rotation.shadow import Shadow
from infra.identity.rotation.signing import Signing
from tests.cloud.devices import Device, Identity, signing_request
from tests.conftest import Cloud
from tests.provisioning.identity_in_the_cloud import Deployed, deploy
from tests.waiting import wait_for

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
    wait_for(lambda: deployed.shadow(thing).get("desired", {}).get("certificate_pem"), "a certificate")
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
    wait_for(lambda: not deployed.shadow(thing).get("desired"), "a tidy shadow")
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

    class Dead(Shadow):
        def settle(self, thing: str) -> None:
            raise CutOffError(thing)

    with pytest.raises(CutOffError):
        orders.order(table, Dead(table, fleet.iot, fleet.data), thing, by="tester")
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
    assert json.loads(answer["Payload"].read())["rotations"] == 1
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


class KilledError(BaseException):
    """The function's time was over."""


class Dies:
    """An IoT client whose owner doesn't live to see the answer of CreateCertificateFromCsr."""

    def __init__(self, iot: Any) -> None:
        self._iot = iot

    def create_certificate_from_csr(self, **request: Any) -> None:
        self._iot.create_certificate_from_csr(**request)
        raise KilledError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._iot, name)


def signed_for(deployed: Deployed, request: str) -> set[str]:
    """The certificates for a request's key, among all those that other tests make and end meanwhile."""
    wanted = x509.load_pem_x509_csr(request.encode()).public_key()
    found = set()
    for page in deployed.iot.get_paginator("list_certificates").paginate():
        for one in page["certificates"]:
            try:
                described = deployed.iot.describe_certificate(certificateId=one["certificateId"])
            except deployed.iot.exceptions.ResourceNotFoundException:
                continue
            pem = described["certificateDescription"]["certificatePem"]
            if x509.load_pem_x509_certificate(pem.encode()).public_key() == wanted:
                found.add(str(one["certificateId"]))
    return found


def test_a_certificate_that_a_function_made_and_did_not_live_to_note_is_found_again(
    deployed: Deployed,
) -> None:
    thing, identity, rotation = ordered(deployed, "ROT00012")
    _key, request = signing_request(thing)
    fleet = deployed.fleet
    table = fleet.session.resource("dynamodb").Table(fleet.names.registry_table)
    told = {"rotation": rotation, "state": "requested", "csr": request}
    with pytest.raises(KilledError):
        Signing(table, Dies(fleet.iot), fleet.data, fleet.names).heard(thing, told)
    (left,) = signed_for(deployed, request)
    with deployed.device(identity, thing) as device:
        report(device, thing, **told)
        assert signed(deployed, thing)["certificate_id"] == left
    assert signed_for(deployed, request) == {left}
    assert deployed.certificates(thing)[left] == "ACTIVE"


def test_calls_that_sign_at_once_leave_one_certificate_and_nothing_beside_it(deployed: Deployed) -> None:
    """However their steps fall: the second call runs whole inside the first's creation."""
    thing, _identity, rotation = ordered(deployed, "ROT00013")
    _key, request = signing_request(thing)
    fleet = deployed.fleet
    table = fleet.session.resource("dynamodb").Table(fleet.names.registry_table)
    told = {"rotation": rotation, "state": "requested", "csr": request}

    class Overtaken(Dies):
        def create_certificate_from_csr(self, **request: Any) -> Any:
            made = self._iot.create_certificate_from_csr(**request)
            assert Signing(table, self._iot, fleet.data, fleet.names).heard(thing, told) == "signed"
            return made

    assert Signing(table, Overtaken(fleet.iot), fleet.data, fleet.names).heard(thing, told) == "signed"
    (new,) = signed_for(deployed, request)
    assert deployed.shadow(thing)["desired"]["certificate_id"] == new
    assert deployed.certificates(thing)[new] == "ACTIVE"


NONSENSE: list[dict[str, Any]] = [
    {"state": "swapped"},
    {"state": "swapped", "certificate_id": None},
    {"state": "swapped", "certificate_id": {"a": [1]}},
    {"state": "requested"},
    {"state": "requested", "csr": None},
    {"state": ["requested"], "csr": "x"},
    {"state": {"a": 1}},
    {"state": 7},
]


def test_nonsense_in_a_tills_own_shadow_is_ignored_and_its_rotation_goes_on(deployed: Deployed) -> None:
    thing, rotation = under_way(deployed)
    before = deployed.row(thing)
    _key, request = signing_request(thing)
    for told in NONSENSE:
        assert hears(deployed, thing, {"rotation": rotation, **told}) == "ignored", told
    for other in (None, "another", 5, ["x"], {"id": rotation}, True):
        told = {"rotation": other, "state": "requested", "csr": request}
        assert hears(deployed, thing, told) == "ignored", other
    assert deployed.row(thing) == before


@pytest.mark.parametrize("csr", ["-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 100_000, {"a": 1}])
def test_a_request_that_is_none_ends_its_rotation_and_makes_no_certificate(
    deployed: Deployed, csr: Any
) -> None:
    thing, rotation = under_way(deployed)
    before = deployed.certificates(thing), deployed.row(thing)["certificate_ids"]
    assert hears(deployed, thing, {"rotation": rotation, "state": "requested", "csr": csr}) == "failed"
    assert "can't be signed" in deployed.row(thing)["rotation"]["reason"]
    row = deployed.row(thing)
    assert (deployed.certificates(thing), row["certificate_ids"]) == before
    assert "certificate_id" not in row["rotation"]


def test_a_tills_reason_can_not_write_to_the_terminal_of_who_reads_it(deployed: Deployed) -> None:
    thing, rotation = under_way(deployed)
    reason = "\x1b]0;gotcha\x07\x1b[2J" + "x" * 10_000
    assert hears(deployed, thing, {"rotation": rotation, "state": "failed", "reason": reason}) == "failed"
    kept = deployed.row(thing)["rotation"]["reason"]
    assert kept.isprintable()
    assert len(kept) == 300


def under_way(deployed: Deployed) -> tuple[str, str]:
    thing, _identity, rotation = ordered(deployed, f"N{uuid.uuid4().hex[:8]}")
    return thing, rotation


def hears(deployed: Deployed, thing: str, told: dict[str, Any]) -> str:
    """What the deployed function makes of a report, called as its rule calls it."""
    answer = deployed.cloud.client("lambda").invoke(
        FunctionName=deployed.names.function("rotation"),
        Payload=json.dumps({"thing": thing, "reported": told}).encode(),
    )
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return str(said["outcome"])


def test_a_till_that_moves_stage_is_in_the_new_group_alone(deployed: Deployed) -> None:
    thing, _identity = deployed.till("ROT00014")
    fleet = deployed.fleet
    moved = move(fleet, fleet.till("ROT00014"), Destination(stage="prod", store="ST-406"))
    assert moved.changed == ("registry", "attributes", "groups")
    groups = deployed.iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"]
    assert [group["groupName"] for group in groups] == [fleet.names.stage_group("prod")]
    assert deployed.iot.describe_thing(thingName=thing)["attributes"]["store"] == "ST-406"
    assert [row.thing for row in fleet.registry.in_stage("prod")] == [thing]
    assert move(fleet, fleet.till("ROT00014"), Destination(stage="prod")).changed == ()


def test_every_till_that_is_due_is_ordered_once_and_followed_by_the_page(deployed: Deployed) -> None:
    soon = orders.stamp(datetime.now(UTC) + timedelta(days=3))
    things = {deployed.till(f"DUE0000{n}", stage="staging", certificate_expires_at=soon)[0] for n in range(3)}
    fleet = deployed.fleet
    deployed.till("DUE00009", stage="staging")
    rows = list(rotate.due(fleet, ["staging"]))
    assert {row.thing for row in rows} == things
    started = [rotate.start(fleet, row) for row in rows]
    assert all(one.started for one in started)
    for one in started:
        reported = {"rotation": one.rotation, "state": "failed", "reason": f"no helper on {one.thing}"}
        assert hears(deployed, one.thing, reported) == "failed"
    ended = rotate.follow(fleet, started, 300)
    assert {(one.thing, one.state, one.reason) for one in ended} == {
        (thing, "failed", f"no helper on {thing}") for thing in things
    }
