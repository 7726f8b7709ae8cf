"""Two at once, however their steps fall: the second runs whole before each call of the first in turn.

Whatever wins, row, certificates, thing and shadow agree in the end, and nothing is left that no row names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.iot.models import IoTBackend

from tests.provisioning.two_at_once import (
    ACTS,
    THING,
    FleetsAccount,
    World,
    certificate_for,
    undisturbed,
)

MOST_CALLS = 80
BEGINNINGS = {
    "wanted": (
        *("revoke", "decommission", "replace", "move", "move elsewhere", "rotate"),
        *("requested", "failed"),
    ),
    "signed": ("revoke", "decommission", "replace", "move", "rotate", "requested", "swapped", "failed"),
    "arrived": ("revoke", "decommission", "replace", "move", "first contact", "provision again", "claims"),
}
# A till doesn't say both of one rotation.
NEVER = {frozenset({"swapped", "failed"})}
PAIRS = [
    (beginning, first, second)
    for beginning, acts in BEGINNINGS.items()
    for first, second in product(acts, acts)
    if frozenset({first, second}) not in NEVER
]
# Where something was lost before, or would be worst.
WATCHED = {
    ("wanted", "requested", "revoke"),
    ("wanted", "rotate", "decommission"),
    ("wanted", "requested", "failed"),
    ("wanted", "move", "move elsewhere"),
    ("signed", "requested", "failed"),
    ("arrived", "provision again", "move"),
    ("arrived", "claims", "replace"),
}


@pytest.fixture
def fleets_account(account: Any, monkeypatch: pytest.MonkeyPatch) -> FleetsAccount:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: key)  # a claim's, a second for each
    monkeypatch.setattr(IoTBackend, "create_certificate_from_csr", certificate_for)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return FleetsAccount(account)


class Turn:
    """Lets `second` run whole before the first's call number `at`."""

    def __init__(self, at: int, second: Callable[[], None]) -> None:
        self.at, self.calls, self.second = at, 0, second
        self.over = False

    def before_call(self, _operation: str) -> None:
        if self.calls < self.at:
            self.calls += 1
            if self.calls == self.at:
                self.second()
                self.over = True


def run(world: World, first: str, second: str, at: int) -> bool:
    """False when the first is over before its call number `at`."""
    session = world.account.session
    turn = Turn(at, lambda: ACTS[second](world, session))
    session.before = turn.before_call
    try:
        ACTS[first](world, session)
    finally:
        session.before = undisturbed
    return turn.over


def everything_at(account: FleetsAccount, folder: Path, beginning: str, first: str, second: str) -> int:
    """At how many calls the second came in."""
    for at in range(1, MOST_CALLS):
        world = World(account, folder, beginning)
        if not run(world, first, second, at):
            world.clear()
            return at - 1
        where = f"{second} before call {at} of {first}; told: {world.told}; row: {world.row()}"
        consistent(world, where)
        if "swapped" in (first, second) and world.row()["state"] == "provisioned":
            assert world.new in world.row()["certificate_ids"], where
        world.clear()
    raise AssertionError(f"{first} makes more than {MOST_CALLS} calls")


def consistent(world: World, where: str) -> None:
    row, account = world.row(), world.account
    left = {one["certificateId"]: one["status"] for one in account.certificates()}
    if row["state"] in ("revoked", "decommissioned"):
        assert left == {}, where
    named = {
        *row.get("certificate_ids", []),
        *row.get("earlier_certificate_ids", []),
        *row.get("loose_claim_ids", []),
        *row.get("closing_claim_ids", []),
    } | ({row["claim_certificate_id"]} if "claim_certificate_id" in row else set())
    assert set(left) <= named, f"leaked; {where}"
    usable(world, row, left, where)
    settled(world, row, where)
    placed(world, row, where)


def usable(world: World, row: dict[str, Any], left: dict[str, str], where: str) -> None:
    """What a row that is in use promises works: the till's certificate, the kit that was handed out."""
    if row["state"] == "provisioned":
        assert [one for one in row["certificate_ids"] if left.get(one) == "ACTIVE"], f"locked out; {where}"
    if row["state"] == "pending" and row["claim_state"] == "open":
        assert left.get(row["claim_certificate_id"]) == "ACTIVE", f"a kit that can't be used; {where}"
    if row["state"] == "pending" and world.kits:
        assert row["claim_certificate_id"] in world.kits, where


def settled(world: World, row: dict[str, Any], where: str) -> None:
    data = world.account.data
    try:
        answer = data.get_thing_shadow(thingName=THING, shadowName="certificate")
        desired = json.loads(answer["payload"].read())["state"].get("desired") or {}
    except data.exceptions.ResourceNotFoundException:
        desired = {}
    order = row.get("rotation") or {}
    if row["state"] == "provisioned" and order.get("state") in ("wanted", "signed"):
        assert desired.get("rotation") == order["id"], where
        assert desired.get("certificate_id") == order.get("certificate_id"), where
    else:
        assert not any(desired.values()), f"still wanted: {desired}; {where}"


def placed(world: World, row: dict[str, Any], where: str) -> None:
    iot = world.account.iot
    things = [thing["thingName"] for thing in iot.list_things()["things"]]
    if row["state"] == "decommissioned":
        assert things == [], where
    if not things and row["state"] in ("decommissioned", "pending"):
        return  # a card that provisions makes it anew
    groups = [one["groupName"] for one in iot.list_thing_groups_for_thing(thingName=THING)["thingGroups"]]
    if row["state"] == "provisioned":
        assert groups == [f"greentill-{row['stage']}"], where
    else:
        assert len(groups) <= 1, where


def cases(*, watched: bool) -> list[Any]:
    marks = () if watched else (pytest.mark.slow,)
    return [
        pytest.param(*pair, marks=marks, id=" ".join(pair).replace(" ", "-"))
        for pair in PAIRS
        if (pair in WATCHED) is watched
    ]


@pytest.mark.parametrize(("beginning", "first", "second"), [*cases(watched=True), *cases(watched=False)])
def test_whatever_comes_between_the_steps_of_another_the_end_is_consistent(
    fleets_account: FleetsAccount, tmp_path: Path, beginning: str, first: str, second: str
) -> None:
    assert everything_at(fleets_account, tmp_path / "kits", beginning, first, second) >= 1


class KilledError(BaseException):
    """The power went, or the function's time was over."""


def cut_off(world: World, act: str, at: int) -> bool:
    """Begin `act` and end it before its call number `at`; whether it was still at work."""

    def end() -> None:
        raise KilledError

    turn = Turn(at, end)
    world.account.session.before = turn.before_call
    try:
        ACTS[act](world, world.account.session)
    except KilledError:
        return True
    finally:
        world.account.session.before = undisturbed
    return False


# What AWS IoT does itself when it is cut off is its own affair.
CUT_OFF = [
    pytest.param(
        beginning, act, marks=() if (beginning, act) == ("wanted", "requested") else pytest.mark.slow
    )
    for beginning, acts in BEGINNINGS.items()
    for act in acts
    if act != "provision again"
]


@pytest.mark.parametrize(("beginning", "act"), CUT_OFF)
def test_what_is_cut_off_anywhere_is_finished_by_doing_it_again(
    fleets_account: FleetsAccount, tmp_path: Path, beginning: str, act: str
) -> None:
    for at in range(1, MOST_CALLS):
        world = World(fleets_account, tmp_path / "kits", beginning)
        if not cut_off(world, act, at):
            break
        ACTS[act](world, fleets_account.session)
        consistent(world, f"{act} was cut off before call {at}; told: {world.told}; row: {world.row()}")
        world.clear()
    assert at > 1


@pytest.mark.parametrize("taker", ["revoke", pytest.param("decommission", marks=pytest.mark.slow), "failed"])
def test_a_late_call_gives_no_rights_to_what_somebody_was_just_taking_away(
    fleets_account: FleetsAccount, tmp_path: Path, taker: str
) -> None:
    """The taker is cut off anywhere, so that nobody but the late call itself can see to it."""
    for at in range(1, MOST_CALLS):
        world = World(fleets_account, tmp_path / "kits", "wanted")
        goes_on = late_by(world, taker, at)
        row = world.row()
        new = row["rotation"]["certificate_id"]
        status = {one["certificateId"]: one["status"] for one in fleets_account.certificates()}
        taken = row["state"] != "provisioned" or row["rotation"]["state"] == "failed"
        assert not (taken and status.get(new) == "ACTIVE"), f"{taker} was cut off before call {at}: {row}"
        world.clear()
        if not goes_on:
            return
    raise AssertionError(f"{taker} makes more than {MOST_CALLS} calls")


def late_by(world: World, taker: str, at: int) -> bool:
    """Sign, and before any right is given let `taker` begin and be cut off; whether it was still at work."""
    session = world.account.session
    went_on: list[bool] = []

    def before(operation: str) -> None:
        if operation == "AttachPolicy" and not went_on:
            went_on.append(cut_off(world, taker, at))
            session.before = undisturbed

    session.before = before
    try:
        ACTS["requested"](world, session)
    finally:
        session.before = undisturbed
    return went_on[0]
