"""A till's life on a machine that boots, with the root helper of its bootstrap, in a deployed fleet.

One fleet for all, in the order of a life: rotated while it sells, rolled back, cut off in a swap, moved, its
card replaced, taken away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud.devices import Device, Identity
from tests.provisioning.selling import Terminal
from tests.provisioning.whole_fleet import WholeFleet, deployed
from tests.waiting import wait_for
from twin import fleet
from twin.machines import Machine

pytestmark = [pytest.mark.twin, pytest.mark.machine, pytest.mark.slow, pytest.mark.timeout(3600)]

SERIAL = "LIFE0001"
CERTIFICATE, KEY = "/greengrass/v2/thingCert.crt", "/greengrass/v2/privKey.key"
PENDING = "/etc/greentill/rotation/pending"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeFleet]:
    with deployed(tmp_path_factory.mktemp("life")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def machine(life: WholeFleet) -> Machine:
    return life.bring_up(SERIAL)


def identity(machine: Machine) -> Identity:
    return Identity(machine.path(CERTIFICATE).read_text(), machine.path(KEY).read_text())


def certificates(life: WholeFleet) -> list[str]:
    return [one["S"] for one in life.row(SERIAL)["certificate_ids"]["L"]]


def of_the_thing(life: WholeFleet) -> set[str]:
    principals = life.client("iot").list_thing_principals(thingName=life.names.thing(SERIAL))["principals"]
    return {principal.rpartition("/")[2] for principal in principals}


def rotation(life: WholeFleet) -> dict[str, Any]:
    found = life.row(SERIAL).get("rotation", {}).get("M", {})
    return {key: value["S"] for key, value in found.items()}


def refused(life: WholeFleet, who: Identity) -> bool:
    device = Device(life.cloud, who, life.names.thing(SERIAL) + "#2")
    try:
        device.__enter__()
    except Exception:  # noqa: BLE001 - every way of being refused will do
        return True
    device.__exit__()
    return False


def test_it_gets_a_new_certificate_while_it_sells_and_the_old_one_is_refused_after(
    life: WholeFleet, machine: Machine
) -> None:
    before, old = identity(machine), certificates(life)
    with Terminal(lambda: life.pos_url(SERIAL)) as terminal:
        wait_for(lambda: len(terminal.acknowledged) > 2, "the first sales")
        told = life.greentill("rotate", SERIAL, "--wait")
        sold = len(terminal.acknowledged)
        wait_for(lambda: len(terminal.acknowledged) > sold + 2, "sales after it")
    assert [one["state"] for one in told["rotations"]] == ["swapped"]
    assert terminal.refused == []
    assert len(certificates(life)) == 1
    assert certificates(life) != old
    assert of_the_thing(life) == set(certificates(life))
    assert refused(life, before)
    assert not refused(life, identity(machine))
    assert not machine.path("/etc/greentill/rotation/old.key").exists()
    heads = wait_for(lambda: _delivered(life, len(terminal.acknowledged)), "everything to be delivered")
    assert heads["backlog"] == 0
    assert heads["version"]  # though the code runs from a copy, in whose path there is none


def _delivered(life: WholeFleet, sales: int) -> dict[str, Any] | None:
    (till,) = life.greentill("status")["tills"]
    head = life.client("dynamodb").get_item(
        TableName=life.names.sales_table, Key={"pk": {"S": till["thing"]}, "sk": {"S": "head"}}
    )["Item"]
    return till if till["backlog"] == 0 and int(head["seq"]["N"]) > sales else None


def test_a_till_that_does_not_come_back_goes_back_by_itself_and_says_so(
    life: WholeFleet, machine: Machine
) -> None:
    before, old = machine.path(CERTIFICATE).read_text(), certificates(life)
    with _nobody_may_connect(life):
        life.greentill("rotate", SERIAL)
        wait_for(lambda: machine.path(PENDING).exists(), "the swap")
        new = rotation(life)["certificate_id"]
        assert machine.path(CERTIFICATE).read_text() != before
        # what the timer does when its time is over
        machine.run(["systemctl", "start", "greentill-rotation.service"])
        assert machine.path(CERTIFICATE).read_text() == before
        life.sells(SERIAL)
    wait_for(lambda: rotation(life)["state"] == "failed", "the till's word")
    assert "did not come back" in rotation(life)["reason"]
    assert certificates(life) == old
    assert new not in of_the_thing(life)


class _nobody_may_connect:  # noqa: N801 - reads as what it is
    """New connections are refused; those that are there stay."""

    def __init__(self, life: WholeFleet) -> None:
        self._iot = life.client("iot")
        self._policy = life.names.core_policy

    def __enter__(self) -> None:
        described = self._iot.get_policy(policyName=self._policy)
        self._version = described["defaultVersionId"]
        document = json.loads(described["policyDocument"])
        document["Statement"] = [one for one in document["Statement"] if one["Action"] != ["iot:Connect"]]
        made = self._iot.create_policy_version(
            policyName=self._policy, policyDocument=json.dumps(document), setAsDefault=True
        )
        self._made = made["policyVersionId"]

    def __exit__(self, *_: object) -> None:
        self._iot.set_default_policy_version(policyName=self._policy, policyVersionId=self._version)
        self._iot.delete_policy_version(policyName=self._policy, policyVersionId=self._made)


def test_power_that_goes_in_the_middle_of_a_swap_leaves_one_certificate_that_works(
    life: WholeFleet, machine: Machine
) -> None:
    life.greentill("rotate", SERIAL)
    wait_for(lambda: machine.path(PENDING).exists(), "the swap")
    machine.power_cut()
    machine.boot()
    life.sells(SERIAL)
    state = wait_for(lambda: (now := rotation(life)["state"]) in ("swapped", "failed") and now, "its end")
    assert state in ("swapped", "failed")
    assert len(certificates(life)) == 1
    assert of_the_thing(life) == set(certificates(life))
    assert not refused(life, identity(machine))


def test_it_moves_to_another_store_and_hears_of_it(life: WholeFleet, machine: Machine) -> None:
    moved = life.greentill("move", SERIAL, "--store", "ST-406", "--terminals", "T1,T2")
    assert (moved["store"], moved["changed"]) == ("ST-406", ["registry", "attributes"])
    thing = life.client("iot").describe_thing(thingName=life.names.thing(SERIAL))
    assert thing["attributes"]["store"] == "ST-406"
    machine.run(["systemctl", "restart", "greengrass.service"])  # sync asks at its start

    def told() -> bool:
        found = json.loads(machine.path("/var/lib/greentill/assignment.json").read_text())
        return bool(found["store"] == "ST-406" and found["terminals"] == ["T1", "T2"])

    wait_for(told, "the till to know")


def test_a_new_card_takes_over_and_what_the_old_one_had_is_over(life: WholeFleet, machine: Machine) -> None:
    before, old = identity(machine), certificates(life)
    kit = life.folder / "kits" / "again"
    machine.power_cut()
    life.greentill("replace", SERIAL, "--out", str(kit), "--yes", *life.kit_options())
    assert life.row(SERIAL)["state"]["S"] == "pending"
    assert of_the_thing(life) == set(old)
    life.bring_up(SERIAL, kit)
    wait_for(lambda: of_the_thing(life).isdisjoint(old), "the end of the old card")
    assert life.row(SERIAL)["state"]["S"] == "provisioned"
    assert refused(life, before)


def test_it_is_taken_away_only_with_its_sales_delivered_or_by_force(
    life: WholeFleet, machine: Machine
) -> None:
    with Terminal(lambda: life.pos_url(SERIAL)) as terminal:
        wait_for(lambda: len(terminal.acknowledged) > 2, "sales")
    wait_for(lambda: (life.greentill("status")["tills"][0]["backlog"] or 0) == 0, "them to be told")
    fleet.machine(SERIAL, work_dir=life.folder / "twin").halt()
    wait_for(lambda: life.row(SERIAL)["connected"] == {"BOOL": False}, "the end of its connection")
    kept = life.greentill(
        "decommission", SERIAL, "--reason", "closed", "--yes", "--drain-seconds", "0", status=1
    )
    assert "what it has sold since then is not known" in " ".join(kept["error"].split())
    gone = life.greentill("decommission", SERIAL, "--reason", "closed", "--yes", "--force")
    assert gone["state"] == "decommissioned"
    assert life.row(SERIAL)["state"]["S"] == "decommissioned"
    iot = life.client("iot")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName=life.names.thing(SERIAL))
    devices = life.client("greengrassv2").list_core_devices()["coreDevices"]
    assert devices == []
    assert life.greentill("status")["tills"] == []
    again = life.greentill("decommission", SERIAL, "--reason", "closed", "--yes")
    assert again["state"] == "decommissioned"
