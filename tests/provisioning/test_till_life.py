"""Revoke, move, decommission, replace: what each leaves, and that it can be cut off anywhere and repeated."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fleet_provisioning.backlog import Reported, loss
from fleet_provisioning.decommission import decommission
from fleet_provisioning.errors import ChangedError, ProvisioningError
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.kits import Common, KitMaker
from fleet_provisioning.move import Destination, move, settle_thing
from fleet_provisioning.replace import replace
from fleet_provisioning.revoke import revoke
from infra.identity.rotation import orders
from tests.provisioning.life import SERIAL, THING, KilledError, Life

MOST_CALLS = 60


@pytest.fixture
def life(account: Any) -> Life:
    return Life(account)


def cut_off_everywhere(life: Life, act: Callable[[Fleet], Any]) -> int:
    """Do it until the first call, then again until the second, and so on; at how many places it was cut."""
    for allowed in range(MOST_CALLS):
        try:
            act(life.fleet(allowed))
        except KilledError:
            continue
        return allowed
    raise AssertionError(f"it was not done after {MOST_CALLS} attempts")


def take_away(fleet: Fleet) -> Any:
    return decommission(fleet, fleet.till(SERIAL), "closed", lost=None, force=False)


def test_a_revoked_till_keeps_no_certificate_and_its_row_says_why_and_who(life: Life) -> None:
    done = revoke(life.fleet(), life.fleet().till(SERIAL), "stolen")
    assert set(done.certificates) == {*life.certificates, life.claim}
    assert life.left_certificates() == set()
    row = life.row()
    assert (row["state"], row["state_reason"], row["state_changed_by"]) == ("revoked", "stolen", "tester")
    assert (row["certificate_ids"], set(row["retired_certificate_ids"])) == (
        [],
        {*life.certificates, life.claim},
    )
    assert life.groups() == ["greentill-dev"]


def test_revoking_can_be_cut_off_anywhere_and_the_door_is_closed_first(life: Life) -> None:
    for allowed in range(MOST_CALLS):
        fleet = life.fleet(allowed)
        try:
            revoke(fleet, fleet.till(SERIAL), "stolen")
        except KilledError:
            if len(life.left_certificates()) < 3:
                assert life.row()["state"] == "revoked"
            continue
        break
    assert allowed > 8
    assert life.left_certificates() == set()
    assert life.row()["certificate_ids"] == []


def test_a_till_that_moves_stage_is_never_in_two_and_ends_in_the_new_one(life: Life) -> None:
    seen = []

    def moves(fleet: Fleet) -> None:
        try:
            move(fleet, fleet.till(SERIAL), Destination(stage="prod", store="ST-406", terminals=("T1", "T2")))
        finally:
            seen.append(life.groups())

    assert cut_off_everywhere(life, moves) >= 5
    assert all(len(groups) <= 1 for groups in seen)
    assert life.groups() == ["greentill-prod"]
    row = life.row()
    assert (row["store"], row["stage"], row["terminals"]) == ("ST-406", "prod", ["T1", "T2"])
    assert row["assignment"]["store"] == "ST-406"
    assert row["assignment"]["time_zone"] == "America/Chicago"
    attributes = life.account.iot.describe_thing(thingName=THING)["attributes"]
    assert attributes == {"serial": SERIAL, "store": "ST-406"}
    again = move(life.fleet(), life.fleet().till(SERIAL), Destination(stage="prod"))
    assert again.changed == ()


def test_a_till_that_others_move_again_and_again_is_left_to_them(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet, row = life.fleet(), life.fleet().till(SERIAL)
    stores = itertools.cycle(("ST-406", "ST-367"))
    monkeypatch.setattr(Fleet, "till", lambda _fleet, _thing: replaced(row, store=next(stores)))
    with pytest.raises(ChangedError, match="again and again"):
        settle_thing(fleet, THING)


def test_a_till_without_a_thing_yet_moves_in_the_registry_and_gets_the_rest_when_it_provisions(
    life: Life,
) -> None:
    item = life.row() | {"thing": "greentill-PI0002", "serial": "PI0002", "state": "pending"}
    life.account.table.put_item(Item=item)
    moved = move(life.fleet(), life.fleet().till("PI0002"), Destination(stage="prod"))
    assert moved.changed == ("registry",)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (Destination(store="ST-366"), r"store 'ST-366' isn't in fleet.toml"),
        (Destination(stage="live"), r"stage 'live' isn't in fleet.toml"),
        (Destination(terminals=("T1", "T1")), "give each once"),
    ],
)
def test_a_destination_that_is_not_there_changes_nothing(life: Life, to: Destination, says: str) -> None:
    before = life.row()
    with pytest.raises(ProvisioningError, match=says):
        move(life.fleet(), life.fleet().till(SERIAL), to)
    assert life.row() == before


def test_two_people_who_change_a_till_at_once_do_not_mix(life: Life) -> None:
    fleet = life.fleet()
    row = fleet.till(SERIAL)
    move(fleet, row, Destination(stage="prod"))
    with pytest.raises(ProvisioningError, match="changed by somebody else"):
        move(fleet, row, Destination(store="ST-406"))
    assert (life.row()["stage"], life.row()["store"]) == ("prod", "ST-367")


def test_a_till_that_is_revoked_is_revoked_whatever_somebody_else_has_just_changed(life: Life) -> None:
    fleet = life.fleet()
    row = fleet.till(SERIAL)
    move(fleet, row, Destination(stage="prod"))
    revoke(fleet, row, "stolen")
    assert (life.row()["state"], life.row()["stage"]) == ("revoked", "prod")
    assert life.left_certificates() == set()


def test_decommissioning_can_be_cut_off_anywhere_and_leaves_the_row_alone(life: Life) -> None:
    shadow = life.account.session.client("iot-data")
    shadow.update_thing_shadow(thingName=THING, shadowName="certificate", payload=b'{"state": {}}')
    assert cut_off_everywhere(life, take_away) > 10
    assert life.row()["state"] == "decommissioned"
    assert life.left_certificates() == set()
    assert life.greengrass.devices == set()
    assert life.account.iot.list_things()["things"] == []
    take_away(life.fleet())  # nothing to do is no error


def test_sales_that_would_be_lost_keep_a_till_in_the_fleet_unless_forced(life: Life) -> None:
    fleet = life.fleet()
    with pytest.raises(ProvisioningError, match="12 records are not delivered; let the till deliver first"):
        decommission(fleet, fleet.till(SERIAL), "x", lost="12 records are not delivered", force=False)
    assert life.row()["state"] == "provisioned"
    done = decommission(fleet, fleet.till(SERIAL), "x", lost="12 records are not delivered", force=True)
    assert done.lost == "12 records are not delivered"


def test_what_would_be_lost_is_said_as_far_as_the_cloud_can_know(life: Life) -> None:
    row = life.fleet().till(SERIAL)
    said = Reported("a1", 7, "2026-11-21T09:00:00Z", 0, None, "1.0.0")
    assert loss(row, said) is None
    assert "the cloud has nothing" in str(loss(row, None))
    owing = Reported("a1", 7, "2026-11-21T09:00:00Z", 12, "2026-11-21T08:00:00Z", "1.0.0")
    assert "12 records are not delivered, the oldest from 2026-11-21T08:00:00Z" in str(loss(row, owing))
    life.account.table.put_item(
        Item=life.row() | {"connected": False, "disconnected_at": "2026-11-21T09:05:00Z"}
    )
    assert "what it has sold since then is not known" in str(loss(life.fleet().till(SERIAL), said))


def maker(life: Life, fleet: Fleet) -> KitMaker:
    return KitMaker(fleet.session, fleet.names, fleet.settings, Common(root_ca="PEM\n"))


def test_a_new_card_gets_a_claim_of_its_own_and_the_old_card_works_until_it_connects(
    life: Life, tmp_path: Path
) -> None:
    fleet = life.fleet()
    kit = replace(fleet, maker(life, fleet), fleet.till(SERIAL), tmp_path / "kit", "card died")
    row = life.row()
    assert (row["state"], row["state_reason"], row["claim_state"]) == ("pending", "card died", "open")
    assert row["claim_certificate_id"] == kit.claim_certificate_id
    assert (row["certificate_ids"], row["earlier_certificate_ids"]) == ([], life.certificates[:1])
    assert life.left_certificates() == {*life.certificates, kit.claim_certificate_id}
    assert (tmp_path / "kit" / "SHA256SUMS").exists()
    assert life.groups() == []  # by joining anew, the new card gets the stage's deployment


@pytest.fixture
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where dozens of kits are made: a key takes a second, here and in moto."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: key)


def claims_with_rights(life: Life) -> set[str]:
    targets = life.account.iot.list_targets_for_policy(policyName="greentill-claim")["targets"]
    return {target.rpartition("/")[2] for target in targets}


@pytest.mark.usefixtures("one_key")
def test_replacing_can_be_cut_off_anywhere_and_no_claim_is_left_that_the_row_does_not_name(
    life: Life, tmp_path: Path
) -> None:
    def new_card(fleet: Fleet) -> None:
        try:
            replace(fleet, maker(life, fleet), fleet.till(SERIAL), tmp_path / "kit", "card died")
        finally:
            row = life.row()
            begun = (*row.get("loose_claim_ids", []), *row.get("closing_claim_ids", []))
            known = {row["claim_certificate_id"], *begun}
            assert claims_with_rights(life) <= known

    assert cut_off_everywhere(life, new_card) > 10
    row = life.row()
    assert (row["state"], row["claim_state"], row["earlier_certificate_ids"]) == (
        "pending",
        "open",
        life.certificates[:1],
    )
    assert "loose_claim_ids" not in row
    assert claims_with_rights(life) == {row["claim_certificate_id"]}
    assert (tmp_path / "kit" / "SHA256SUMS").exists()
    assert not (tmp_path / "kit" / ".unfinished").exists()
    assert life.groups() == []


@pytest.mark.usefixtures("one_key")
def test_a_replacement_that_was_cut_off_leaves_nothing_to_a_till_that_is_revoked(
    life: Life, tmp_path: Path
) -> None:
    for allowed in range(12):
        fleet = life.fleet(allowed)
        with contextlib.suppress(KilledError):
            replace(fleet, maker(life, fleet), fleet.till(SERIAL), tmp_path / "kit", "card died")
    revoke(life.fleet(), life.fleet().till(SERIAL), "stolen")
    assert claims_with_rights(life) == set()
    assert "loose_claim_ids" not in life.row()


def test_of_two_people_who_replace_a_card_at_once_one_gets_a_kit_and_the_other_is_told(
    life: Life, tmp_path: Path
) -> None:
    fleet = life.fleet()
    replace(fleet, maker(life, fleet), fleet.till(SERIAL), tmp_path / "never-used", "card died")
    row = fleet.till(SERIAL)
    kit = replace(fleet, maker(life, fleet), row, tmp_path / "hers", "card died")
    with pytest.raises(ProvisioningError, match="changed by somebody else"):
        replace(fleet, maker(life, fleet), row, tmp_path / "his", "card died")
    assert life.row()["claim_certificate_id"] == kit.claim_certificate_id
    assert life.left_certificates() == {*life.certificates, kit.claim_certificate_id}
    assert not (tmp_path / "his").exists()


def test_a_kit_that_fails_leaves_the_till_as_it_was(life: Life, tmp_path: Path) -> None:
    before = life.row()
    fleet = life.fleet()
    life.account.iot.detach_policy(
        policyName="greentill-claim",
        target=life.account.iot.describe_certificate(certificateId=life.claim)["certificateDescription"][
            "certificateArn"
        ],
    )
    life.account.iot.delete_policy(policyName="greentill-claim")
    with pytest.raises(ProvisioningError, match="deploy the Identity stack"):
        replace(fleet, maker(life, fleet), fleet.till(SERIAL), tmp_path / "kit", "card died")
    row = life.row()
    assert len(row.pop("loose_claim_ids")) == 1  # what was begun, and is ended already
    assert row == before
    assert life.left_certificates() == {*life.certificates, life.claim}


def test_a_revoked_till_comes_back_with_a_new_card_only(life: Life, tmp_path: Path) -> None:
    fleet = life.fleet()
    revoke(fleet, fleet.till(SERIAL), "stolen")
    table = life.account.table
    with pytest.raises(orders.NotRotatableError, match="only a provisioned till can rotate"):
        orders.order(table, fleet.shadow, THING, by="tester")
    replace(fleet, maker(life, fleet), fleet.till(SERIAL), tmp_path / "kit", "found again")
    assert life.row()["state"] == "pending"


def test_a_serial_that_nobody_registered_says_how_to_register_it(life: Life) -> None:
    with pytest.raises(ProvisioningError, match="greentill till kit PI9999"):
        life.fleet().till("PI9999")
    with pytest.raises(ProvisioningError, match="4 to 32 letters and digits"):
        life.fleet().till("a-b")


@pytest.mark.parametrize(
    "nonsense",
    [
        {"terminals": 5},
        {"refusals": "many"},
        {"assignment": "here"},
        {"claim_expires_at": "soon"},
        {"certificate_ids": True},
        {"store": None},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_row_that_somebody_spoiled_is_named_with_what_to_do(life: Life, nonsense: dict[str, Any]) -> None:
    spoiled = {key: value for key, value in (life.row() | nonsense).items() if value is not None}
    life.account.table.put_item(Item=spoiled)
    with pytest.raises(ProvisioningError, match=f"row of {THING} is not as a till's should be.*mend it"):
        life.fleet().till(SERIAL)


@pytest.mark.parametrize(
    "serial",
    ["", "PI0001 ", "pi/0001", "PI0001#2", "\u041f\u04180001", "PI0001\n", "x" * 33, "../PI0001", "PI\x1b1"],
)
def test_a_serial_with_odd_characters_is_refused_before_anything_is_asked(life: Life, serial: str) -> None:
    with pytest.raises(ProvisioningError, match="4 to 32 letters and digits"):
        life.fleet(allowed=0).till(serial)
