"""`greentill till` as processes against a deployed fleet: what they do, say, and end with."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.identity.rotation import orders
from tests.cloud.devices import Identity, signing_request
from tests.cloud.raw_client import RawClient
from tests.conftest import Cloud
from tests.provisioning.command_line import CommandLine, Told, clone_product, ended
from tests.provisioning.identity_in_the_cloud import Deployed, Session, deploy
from tests.waiting import wait_for

pytestmark = [pytest.mark.twin, pytest.mark.slow, pytest.mark.timeout(2400)]

SOON = orders.stamp(datetime.now(UTC) + timedelta(days=3))


@dataclass(frozen=True)
class Office:
    """A deployed fleet and the command line that somebody runs for it."""

    deployed: Deployed
    command: CommandLine

    def till(self, *arguments: str) -> Told:
        return self.command.till(*arguments)

    def done(self, *arguments: str) -> Told:
        told = self.till(*arguments)
        assert told.status == 0, told.words
        return told

    def refused(self, *arguments: str) -> str:
        """The one sentence of a command that ends with 1."""
        told = self.till(*arguments)
        assert (told.status, told.out) == (1, ""), told.words
        assert "Traceback" not in told.err
        return told.words

    def head(self, thing: str, **said: Any) -> None:
        """What a till's sync says of itself."""
        table = Session(self.deployed.cloud).resource("dynamodb").Table(self.deployed.names.sales_table)
        table.put_item(Item={"pk": thing, "sk": "head", "epoch": "a1", "seq": 7, **said})

    def groups(self, thing: str) -> list[str]:
        found = self.deployed.iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"]
        return [group["groupName"] for group in found]


@pytest.fixture(scope="module")
def office(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    deployed = deploy(cloud, folder, f"o{uuid.uuid4().hex[:8]}", ("Storage", "Identity"))
    clone_product(folder / "clone")
    yield Office(deployed, CommandLine(folder / "clone", cloud))


def serials(told: Told) -> list[str]:
    return [till["serial"] for till in told.document["tills"]]


def test_status_shows_what_the_filters_ask_for_and_nothing_else(office: Office) -> None:
    made = office.deployed
    here, _ = made.till("STAT0001", connected=True)
    away, _ = made.till("STAT0002", connected=False, store="ST-406")
    made.till("STAT0003", state="revoked", state_reason="stolen")
    made.till("STAT0004", state="decommissioned")
    office.head(here, backlog=0, version="1.0.0", reported_at="2026-11-21T09:30:00Z")
    office.head(away, backlog=4, version="1.0.0", reported_at="2026-11-21T09:30:00Z")

    def listed(*filters: str) -> list[str]:
        found = serials(office.done("status", "--json", *filters))
        return [serial for serial in found if serial.startswith("STAT")]

    assert listed() == ["STAT0001", "STAT0002", "STAT0003"]
    assert listed("--store", "ST-406") == ["STAT0002"]
    assert listed("--offline", "--stage", "dev") == ["STAT0002", "STAT0003"]
    assert listed("--behind") == ["STAT0002"]
    assert listed("--state", "decommissioned") == ["STAT0004"]
    assert listed("--stage", "prod") == []


def test_status_as_people_read_it_has_a_line_for_each_till_and_a_sum(office: Office) -> None:
    thing, _ = office.deployed.till("READ0001", store="ST-406", connected=True)
    office.head(thing, backlog=2, version="1.0.0", reported_at="2026-11-21T09:30:00Z")
    told = office.done("status", "--store", "ST-406")
    (line,) = [line for line in told.out.splitlines() if thing in line]
    assert "provisioned" in line
    assert "connected" in told.out.splitlines()[-1]


def test_status_says_what_it_can_not_filter_by(office: Office) -> None:
    assert "state 'gone': give one of pending, provisioned" in office.refused("status", "--state", "gone")
    assert "stage 'live' isn't in fleet.toml; there is: dev, prod, staging" in office.refused(
        "status", "--stage", "live"
    )
    assert "store 'ST-36' isn't in fleet.toml" in office.refused("status", "--store", "ST-36")
    assert "not both" in office.refused("status", "--watch", "--json")


def test_moving_to_another_stage_is_asked_about_done_once_and_told(office: Office) -> None:
    made = office.deployed
    thing, _ = made.till("MOVE0001")
    refused = office.refused("move", "MOVE0001", "--stage", "prod")
    assert f"{thing} will run what prod runs instead of dev" in refused
    assert "--yes" in refused
    assert made.row(thing)["stage"] == "dev"
    told = office.done("move", "MOVE0001", "--stage", "prod", "--yes")
    assert f"{thing} is now in ST-367, stage prod, terminals T1" in told.words
    assert office.groups(thing) == [made.names.stage_group("prod")]
    again = office.done("move", thing, "--stage", "prod", "--json")  # nothing to ask about
    assert (again.document["stage"], again.document["changed"]) == ("prod", [])


def test_a_move_that_can_not_be_says_where_to_instead(office: Office) -> None:
    office.deployed.till("MOVE0002")
    assert "say where to" in office.refused("move", "MOVE0002")
    assert "stage 'live' isn't in fleet.toml" in office.refused(
        "move", "MOVE0002", "--stage", "live", "--yes"
    )
    assert "give each once, such as T1,T2" in office.refused("move", "MOVE0002", "--terminals", "T1,T1")
    assert "greentill till kit" in office.refused("move", "NOWHERE1", "--store", "ST-406")


def test_all_that_is_due_is_ordered_once_and_who_waits_hears_how_it_ended(office: Office) -> None:
    made = office.deployed
    tills = dict(
        made.till(f"ROLL000{number}", stage="staging", certificate_expires_at=SOON) for number in range(2)
    )
    made.till("ROLL0009", stage="staging")
    told = office.done("rotate", "--all-due", "--stage", "staging", "--json").document["rotations"]
    assert {one["thing"] for one in told} == set(tills)
    assert {(one["state"], one["started"]) for one in told} == {("wanted", True)}
    waiting = office.command.start("rotate", "--all-due", "--stage", "staging", "--wait", "--json")
    assert waiting.stderr is not None
    assert [waiting.stderr.readline().split(":")[0] for _ in tills] == ["1", "2"]  # it has found both
    first, second = tills
    by = {one["thing"]: one["rotation"] for one in told}
    swaps(made, first, tills[first], by[first])
    gives_up(made, second, tills[second], by[second])
    over = ended(waiting)
    assert over.status == 1  # one of them has failed
    said = {one["thing"]: one for one in over.document["rotations"]}
    assert (said[first]["state"], said[first]["started"]) == ("swapped", False)
    assert (said[second]["state"], said[second]["reason"]) == ("failed", "no helper")


def swaps(made: Deployed, thing: str, identity: Identity, rotation: str) -> None:
    """The till's part in a rotation that goes through."""
    key, request = signing_request(thing)
    where = f"$aws/things/{thing}/shadow/name/certificate/update"
    with made.device(identity, thing) as device:
        asked = {"rotation": rotation, "state": "requested", "csr": request}
        device.publish(where, {"state": {"reported": asked}})
        wait_for(lambda: made.shadow(thing).get("desired", {}).get("certificate_pem"), "a certificate")
    wanted = made.shadow(thing)["desired"]
    with made.device(Identity(wanted["certificate_pem"], key), thing) as device:
        over = {"rotation": rotation, "state": "swapped", "certificate_id": wanted["certificate_id"]}
        device.publish(where, {"state": {"reported": over}})
        made.until(thing, lambda row: row["rotation"]["state"] == "swapped", "the end")


def gives_up(made: Deployed, thing: str, identity: Identity, rotation: str) -> None:
    where = f"$aws/things/{thing}/shadow/name/certificate/update"
    with made.device(identity, thing) as device:
        over = {"rotation": rotation, "state": "failed", "reason": "no helper"}
        device.publish(where, {"state": {"reported": over}})
        made.until(thing, lambda row: row["rotation"]["state"] == "failed", "the end")


def test_nobody_due_is_said_and_is_no_error(office: Office) -> None:
    assert "no till is due" in office.done("rotate", "--all-due", "--stage", "prod").words
    told = office.done("rotate", "--all-due", "--stage", "prod", "--wait", "--json")
    assert told.document == {"rotations": []}


def test_what_rotate_is_to_do_has_to_be_clear(office: Office) -> None:
    made = office.deployed
    made.till("ROLL0010", state="revoked")
    assert "give either a serial, or --all-due" in office.refused("rotate")
    assert "give either a serial, or --all-due" in office.refused("rotate", "ROLL0010", "--all-due")
    assert "--stage goes with --all-due" in office.refused("rotate", "ROLL0010", "--stage", "dev")
    assert "only a provisioned till can rotate" in office.refused("rotate", "ROLL0010")


def test_who_waits_too_short_hears_that_it_is_not_over_and_gets_status_1(office: Office) -> None:
    thing, _ = office.deployed.till("ROLL0011")
    told = office.till("rotate", "ROLL0011", "--wait", "--wait-seconds", "1")
    assert told.status == 1
    assert f"{thing}: rotation" in told.words
    assert "not over after 1 s" in told.words


def test_revoke_asks_ends_everything_and_can_be_repeated(office: Office) -> None:
    made = office.deployed
    thing, _ = made.till("REVO0001")
    assert f"Revoke {thing} in ST-367?" in office.refused("revoke", "REVO0001", "--reason", "stolen")
    assert made.row(thing)["state"] == "provisioned"
    told = office.done("revoke", "REVO0001", "--reason", "stolen", "--yes")
    assert f"{thing} is revoked; certificates ended: 1" in told.words
    assert f"greentill till replace {'REVO0001'} --out DIR" in told.words
    row = made.row(thing)
    assert (row["state"], row["state_reason"], row["certificate_ids"]) == ("revoked", "stolen", [])
    assert made.certificates(thing) == {}
    again = office.done("revoke", "REVO0001", "--reason", "again", "--yes", "--json")
    assert again.document == {"thing": thing, "state": "revoked", "certificates": []}
    assert made.row(thing)["state_reason"] == "stolen"


def test_a_reason_is_wanted_for_what_can_not_be_undone(office: Office) -> None:
    for command in ("revoke", "decommission"):
        told = office.till(command, "REVO0001", "--yes")
        assert (told.status, told.out) == (2, "")
        assert "--reason" in told.err


def test_replace_writes_a_kit_says_what_to_do_and_leaves_no_half_one(office: Office, tmp_path: Path) -> None:
    made = office.deployed
    thing, _ = made.till("REPL0001")
    ca = made.cloud.state.cloud.ca
    kit = tmp_path / "kit"
    told = office.done("replace", "REPL0001", "--out", str(kit), "--root-ca", ca, "--yes")
    assert "sudo ./pi_bootstrap.sh" in told.words
    assert (kit / "SHA256SUMS").exists()
    assert not (kit / ".unfinished").exists()
    row = made.row(thing)
    assert (row["state"], row["claim_state"]) == ("pending", "open")
    taken = office.refused("replace", "REPL0001", "--out", str(kit), "--root-ca", ca, "--yes")
    assert str(kit) in taken
    assert made.row(thing) == row
    assert "fleet.toml" not in office.done("status", "--state", "pending").words


def test_decommission_says_what_would_be_lost_and_goes_on_only_by_force(office: Office) -> None:
    made = office.deployed
    thing, _ = made.till("GONE0001")
    office.head(thing, backlog=12, reported_at="2026-11-21T09:30:00Z", oldest_at="2026-11-21T08:00:00Z")
    out = ("decommission", "GONE0001", "--reason", "store closed", "--drain-seconds", "0")
    kept = office.refused(*out, "--yes")
    assert "12 records are not delivered, the oldest from 2026-11-21T08:00:00Z" in kept
    assert "--force" in kept
    assert made.row(thing)["state"] == "provisioned"
    asked = office.refused(*out, "--force")
    assert f"Take {thing} out of the fleet?" in asked
    told = office.done(*out, "--force", "--yes", "--json").document
    assert (told["thing"], told["state"], told["in_fleet_toml"]) == (thing, "decommissioned", False)
    assert "12 records" in told["lost"]
    with pytest.raises(ClientError, match="ResourceNotFound"):
        made.iot.describe_thing(thingName=thing)
    again = office.done("decommission", thing, "--reason", "again", "--yes")
    assert f"{thing} is out of the fleet" in again.words
    assert made.row(thing)["state_reason"] == "store closed"


def test_a_till_that_has_gone_without_a_word_shows_as_not_connected(office: Office, tmp_path: Path) -> None:
    """A pulled cable: nobody says good-bye, so the broker has to miss it."""
    made = office.deployed
    thing, identity = made.till("LOST0001")
    client = RawClient(made.cloud, identity, tmp_path, thing, keep_alive=5)
    made.until(thing, lambda row: row.get("connected") is True, "its connection")
    made.until(thing, lambda row: row["connected"] is False, "its end")
    listed = {one["serial"]: one for one in office.done("status", "--offline", "--json").document["tills"]}
    assert listed["LOST0001"]["connected"] is False
    assert listed["LOST0001"]["disconnected_at"] >= listed["LOST0001"]["connected_at"]
    client.close()


def test_people_who_do_different_things_to_a_till_at_once_leave_it_consistent(
    office: Office, tmp_path: Path
) -> None:
    made = office.deployed
    thing, _ = made.till("RACE0001")
    ca = made.cloud.state.cloud.ca
    begun = [
        office.command.start(*arguments)
        for arguments in (
            ("move", "RACE0001", "--stage", "prod", "--yes"),
            ("rotate", "RACE0001"),
            ("replace", "RACE0001", "--out", str(tmp_path / "kit"), "--root-ca", ca, "--yes"),
            ("move", "RACE0001", "--stage", "staging", "--yes"),
            ("revoke", "RACE0001", "--reason", "stolen", "--yes"),
        )
    ]
    told = [ended(one) for one in begun]
    assert all("Traceback" not in one.err for one in told), [one.words for one in told]
    row = made.row(thing)
    assert row["state"] in ("revoked", "pending")
    if row["state"] == "revoked":
        assert made.certificates(thing) == {}
    assert office.groups(thing) in ([], [made.names.stage_group(row["stage"])])
    # and after that nothing is in the way of the next command
    office.done("decommission", "RACE0001", "--reason", "over", "--force", "--yes")
    named = {*row.get("retired_certificate_ids", []), *row.get("loose_claim_ids", [])} | {
        row.get("claim_certificate_id")
    }
    left = {one["certificateId"] for one in made.iot.list_certificates()["certificates"]}
    assert left.isdisjoint(named)


def test_the_help_of_every_command_has_an_example_that_parses(office: Office) -> None:
    for command in ("kit", "status", "move", "rotate", "replace", "revoke", "decommission"):
        told = office.done(command, "--help")
        assert f"Example: greentill till {command} " in told.words
