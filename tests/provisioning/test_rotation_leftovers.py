"""What calls of a rotation leave when they are cut off and nobody asks again: the daily look ends it.

It ends what a till of the fleet made a key for, and nothing else in the account.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.iot.models import IoTBackend

from infra.identity.rotation import handler
from infra.identity.rotation.issuing import MOST_KEYS
from infra.identity.rotation.mending import mend
from infra.identity.rotation.shadow import Shadow, UnsettledError
from infra.identity.troubles import TroubleError, Troubles
from tests.cloud.devices import signing_request
from tests.provisioning.two_at_once import (
    REQUEST,
    ROTATION,
    THING,
    FleetsAccount,
    World,
    asks,
    certificate_for,
)

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1, hours=1)


class KilledError(BaseException):
    """The function's time was over."""


@pytest.fixture
def fleets_account(account: Any, monkeypatch: pytest.MonkeyPatch) -> FleetsAccount:
    monkeypatch.setattr(IoTBackend, "create_certificate_from_csr", certificate_for)
    return FleetsAccount(account)


def look(world: World, now: datetime = TOMORROW, *, go_on: bool = True) -> dict[str, int]:
    account = world.account
    return mend(
        account.table,
        account.iot,
        world.signing(account.session),
        stages=["dev", "prod"],
        now=now,
        go_on=lambda: go_on,
        troubles=Troubles(),
    )


def dies_after_making_one(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """A call that ends between making a certificate and noting it; which one."""
    before = ids(world)

    def killed(_self: object, *_arguments: object) -> bool:
        raise KilledError

    with monkeypatch.context() as dying, pytest.raises(KilledError):
        dying.setattr("infra.identity.rotation.issuing.Issuing._note", killed)
        world.signing(world.account.session).heard(THING, asks())
    (left,) = ids(world) - before
    return left


def ids(world: World) -> set[str]:
    return {one["certificateId"] for one in world.account.certificates()}


def given_up(world: World) -> None:
    told = {"rotation": ROTATION, "state": "failed", "reason": "no"}
    assert world.signing(world.account.session).heard(THING, told) == "failed"


def test_a_certificate_that_nobody_asks_for_again_is_gone_after_a_day(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    left = dies_after_making_one(world, monkeypatch)
    given_up(world)
    assert look(world, NOW + timedelta(hours=1)) == {"mended": 0, "ended": 0}
    assert left in ids(world)
    assert look(world) == {"mended": 0, "ended": 1}
    assert ids(world) == {world.old}
    assert "signing_keys" not in world.row()
    assert look(world) == {"mended": 0, "ended": 0}


@pytest.mark.parametrize("state", ["revoked", "pending", "decommissioned"])
def test_it_goes_whatever_has_become_of_the_till(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    left = dies_after_making_one(world, monkeypatch)
    fleets_account.table.put_item(Item=world.row() | {"state": state})
    assert look(world)["ended"] == 1
    assert left not in ids(world)


def test_other_peoples_certificates_are_left_alone_however_idle_they_are(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    left = dies_after_making_one(world, monkeypatch)
    _, request = signing_request(THING)  # even of the same name
    theirs = fleets_account.iot.create_certificate_from_csr(
        certificateSigningRequest=request, setAsActive=False
    )["certificateId"]
    look(world)
    assert theirs in ids(world)
    assert left not in ids(world)


@pytest.mark.parametrize("held_by", ["a policy", "a thing", "its state"])
def test_a_certificate_for_such_a_key_that_is_in_use_is_left_alone(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_by: str
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    left = dies_after_making_one(world, monkeypatch)
    iot, arn = fleets_account.iot, fleets_account.names.arn("iot", f"cert/{left}")
    if held_by == "a policy":
        iot.attach_policy(policyName="greentill-core", target=arn)
    elif held_by == "a thing":
        iot.attach_thing_principal(thingName=THING, principal=arn)
    else:
        iot.update_certificate(certificateId=left, newStatus="ACTIVE")
    assert look(world)["ended"] == 0
    assert left in ids(world)


def test_a_till_that_asks_again_gets_the_certificate_that_was_left(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    left = dies_after_making_one(world, monkeypatch)
    assert world.signing(fleets_account.session).heard(THING, asks()) == "signed"
    assert world.row()["rotation"]["certificate_id"] == left
    assert look(world)["ended"] == 0
    assert ids(world) == {world.old, left}


def reports(world: World, told: dict[str, Any]) -> None:
    """What the till says, and no call lives to hear."""
    payload = str({"state": {"reported": told}}).replace("'", '"').encode()
    fleets_account = world.account
    fleets_account.data.update_thing_shadow(thingName=THING, shadowName="certificate", payload=payload)


def test_what_a_till_said_and_no_call_lived_to_hear_is_heard_the_next_day(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    world = World(fleets_account, tmp_path, "signed")
    reports(world, {"rotation": ROTATION, "state": "swapped", "certificate_id": world.new})
    assert look(world)["mended"] == 1
    assert world.row()["rotation"]["state"] == "swapped"
    assert ids(world) == {world.new}


def test_a_rotation_that_failed_and_kept_its_certificate_loses_it_the_next_day(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    world = World(fleets_account, tmp_path, "signed")
    fleets_account.table.put_item(Item=world.row() | {"connected_certificate": world.new})
    given_up(world)
    assert ids(world) == {world.old, world.new}  # the till was last heard through it
    fleets_account.table.put_item(Item=world.row() | {"connected_certificate": world.old})
    assert look(world)["mended"] == 1
    assert ids(world) == {world.old}
    assert world.row()["certificate_ids"] == [world.old]


class Minutes:
    """The time that a function has left."""

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def test_a_till_that_makes_trouble_every_day_keeps_no_other_from_the_daily_look(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thing was deleted by hand, say, or it writes into its shadow without end."""
    world = World(fleets_account, tmp_path, "signed")
    reports(world, {"rotation": ROTATION, "state": "swapped", "certificate_id": world.new})
    soon = {"certificate_expires_at": "2026-01-01T00:00:00Z"}
    odd = ("greentill-AA0001", "greentill-AA0002", "greentill-ZZ0001")
    for thing in odd:
        fleets_account.table.put_item(Item=world.row() | soon | {"thing": thing})
    calm = world.row() | soon | {"thing": "greentill-PI0002"}
    del calm["rotation"]
    fleets_account.table.put_item(Item=calm)
    settle = Shadow.settle

    def unsettled(shadow: Shadow, thing: str) -> None:
        if thing in odd:
            raise UnsettledError("it is being changed by others")
        settle(shadow, thing)

    monkeypatch.setattr(Shadow, "settle", unsettled)
    names = fleets_account.names
    environment = {"FLEET": names.fleet, "ACCOUNT": names.account, "AWS_REGION": names.region}
    environment |= {"REGISTRY_TABLE": names.registry_table, "STAGES": "dev,prod"}
    for key, value in (environment | {"AWS_DEFAULT_REGION": names.region}).items():
        monkeypatch.setenv(key, value)
    with pytest.raises(TroubleError) as told:
        handler.handle({}, Minutes())
    assert all(thing in str(told.value) for thing in odd)
    assert world.row()["rotation"]["state"] == "swapped"
    found = fleets_account.table.get_item(Key={"thing": "greentill-PI0002"})["Item"]
    assert found["rotation"]["state"] == "wanted"


def test_when_the_time_is_over_nothing_more_is_begun(
    fleets_account: FleetsAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    dies_after_making_one(world, monkeypatch)
    assert look(world, go_on=False) == {"mended": 0, "ended": 0}


def test_a_request_that_comes_before_the_claim_is_closed_is_left_for_later(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    """Who closes the claim keeps one certificate of the till, and would end this one."""
    world = World(fleets_account, tmp_path, "wanted")
    fleets_account.table.put_item(Item=world.row() | {"claim_state": "used"})
    assert world.signing(fleets_account.session).heard(THING, asks()) == "too early"
    assert ids(world) == {world.old}
    assert world.row()["rotation"] == {"id": ROTATION, "state": "wanted"}


def test_a_new_certificate_that_somebody_deleted_ends_its_rotation_with_that_reason(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    world = World(fleets_account, tmp_path, "signed")
    world.fleet(fleets_account.session).retirement.till(world.new, THING)
    assert world.signing(fleets_account.session).heard(THING, asks()) == "failed"
    row = world.row()
    assert (row["rotation"]["state"], row["rotation"]["reason"]) == (
        "failed",
        "its new certificate was deleted",
    )
    assert row["certificate_ids"] == [world.old]


def test_a_missing_policy_is_an_error_and_no_reason_to_give_up(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    world = World(fleets_account, tmp_path, "signed")
    arn = fleets_account.names.arn("iot", f"cert/{world.new}")
    for certificate in (arn, fleets_account.names.arn("iot", f"cert/{world.old}")):
        fleets_account.iot.detach_policy(policyName="greentill-core", target=certificate)
    fleets_account.iot.delete_policy(policyName="greentill-core")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        world.signing(fleets_account.session).heard(THING, asks())
    assert world.row()["rotation"]["state"] == "signed"


def test_a_till_that_asks_with_ever_new_keys_is_refused_before_its_row_is_full(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    keys = [{"key": f"{n}", "since": "2026-11-21T09:00:00Z", "rotation": "r0"} for n in range(MOST_KEYS)]
    fleets_account.table.put_item(Item=world.row() | {"signing_keys": keys})
    assert world.signing(fleets_account.session).heard(THING, asks()) == "failed"
    assert f"asked with {MOST_KEYS} keys already" in world.row()["rotation"]["reason"]
    assert ids(world) == {world.old}


def test_a_shadow_that_a_late_call_has_overwritten_is_put_right_by_the_next_word_of_the_till(
    fleets_account: FleetsAccount, tmp_path: Path
) -> None:
    world = World(fleets_account, tmp_path, "wanted")
    late = b'{"state": {"desired": {"rotation": "r0", "certificate_id": "c", "certificate_pem": "p"}}}'
    fleets_account.data.update_thing_shadow(thingName=THING, shadowName="certificate", payload=late)
    told = {"rotation": "r0", "state": "requested", "csr": REQUEST}
    assert world.signing(fleets_account.session).heard(THING, told) == "ignored"
    shadow = fleets_account.data.get_thing_shadow(thingName=THING, shadowName="certificate")
    assert b'"rotation": "r1"' in shadow["payload"].read()
