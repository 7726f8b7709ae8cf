"""doctor and repair on a booted Debian machine: each fault is planted, found, and mended or told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bootstrap.faults import FAULTS, STATE, Fault
from tests.bootstrap.sound_till import SCRIPT, SoundTill, install
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
LAUNCHER = Path(__file__).resolve().parents[2] / "edge_components" / "launcher.py"


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundTill]:
    work_dir = tmp_path_factory.mktemp("doctor")
    machine = Machine("SICK0001", ensure_root(), work_dir)
    try:
        machine.boot()
        machine.copy_in(LAUNCHER, "/root/launcher.py")
        yield install(machine, work_dir)
    finally:
        reclaim(work_dir, erase=True)


TROUBLES_OF_THE_SEED = ("operator-group", "config-update-name")
# All of these at once are still told apart: none hides another.
AT_ONCE = (
    "operator-group",
    "printer-group",
    "home-owner",
    "path-owner",
    "state-mode",
    "state-owner",
    "work-owner",
    "artifact-mode",
    "secret-mode",
    "key-mode",
    "claim-key-left",
    "unit-disabled",
    "helper-stopped",
    "stale-file",
)


def test_a_sound_till_has_no_fault_and_repair_changes_nothing(till: SoundTill) -> None:
    assert till.findings() == []
    assert till.bootstrap("doctor") == (0, "nothing wrong\n")
    status, told = till.bootstrap("repair")
    assert (status, "mended   0" in told) == (0, True)


def test_faults_that_come_together_are_all_found_and_all_mended(till: SoundTill) -> None:
    for fault in FAULTS:
        if str(fault) in AT_ONCE:
            till.sh(fault.plant)
    assert till.codes() == set(AT_ONCE)
    status, told = till.bootstrap("repair", "--dry-run")
    assert (status, told.count("would  ")) == (1, len(AT_ONCE)), told
    assert till.codes() == set(AT_ONCE)
    status, told = till.bootstrap("repair")
    assert status == 0, told
    assert till.sh(f"cat {STATE}/ledger.db") == "sold\n"
    assert till.codes() == set()


@pytest.mark.parametrize("code", TROUBLES_OF_THE_SEED)
def test_the_troubles_that_cost_others_days_are_named_with_what_mends_them(
    till: SoundTill, code: str
) -> None:
    fault = next(fault for fault in FAULTS if fault.code == code)
    till.sh(fault.plant)
    (finding,) = till.findings()
    assert finding["code"] == code
    till.sh(finding["remedy"].partition(",")[0])
    assert till.findings() == []


def test_a_remedy_that_is_ours_can_be_pasted_wherever_somebody_stands(till: SoundTill) -> None:
    till.sh(next(fault.plant for fault in FAULTS if fault.code == "state-owner"))
    (finding,) = till.findings()
    assert finding["remedy"] == "sudo /usr/local/lib/greentill/bootstrap/pi_bootstrap.sh repair"
    till.sh(f"cd / && {finding['remedy']}")
    assert till.findings() == []


def test_a_user_that_repair_makes_anew_may_use_the_printer_as_before(till: SoundTill) -> None:
    till.sh("userdel ggc_user")
    assert till.codes() == {"user-missing"}
    till.bootstrap("repair")
    assert till.sh("id -nG ggc_user").split() == ["ggc_group", "lp"]
    assert till.findings() == []


@pytest.mark.slow
@pytest.mark.parametrize("mended", [1, 4, 7, 10, 13])
def test_power_lost_while_repair_mends_leaves_nothing_that_another_repair_does_not_mend(
    till: SoundTill, mended: int
) -> None:
    for fault in FAULTS:
        if str(fault) in AT_ONCE:
            till.sh(fault.plant)
    assert repair_until(till.machine, mended)
    till.machine.boot()
    status, told = till.bootstrap("repair")
    assert status == 0, told
    assert till.sh(f"cat {STATE}/ledger.db") == "sold\n"
    assert till.findings() == []
    assert "mended   0" in till.bootstrap("repair")[1]


class PowerLostError(Exception):
    """The machine is off."""


def repair_until(machine: Machine, mended: int) -> bool:
    """Repair, and lose power as soon as it has told that it mended so many; whether it did."""
    told: list[str] = []

    def watch(line: str) -> None:
        told.extend([line] if line.startswith("mended   ") else [])
        if len(told) == mended:
            machine.power_cut()
            raise PowerLostError

    try:
        machine.stream(["env", "SUDO_USER=pi", "bash", SCRIPT, "repair"], watch)
    except PowerLostError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_found_and_mended_or_told(till: SoundTill, fault: Fault) -> None:
    till.sh(fault.plant)
    findings = till.findings()
    assert {finding["code"] for finding in findings} == {fault.code}, findings
    assert {finding["safe"] for finding in findings} == {fault.safe}
    status, told = till.bootstrap("repair")
    if fault.safe:
        assert status == 0, told
        assert f"mended   {fault.code}" in told
    else:
        assert status == 1
        assert f"FAULT    {fault.code}" in told
        till.sh(fault.undo)
    assert till.findings() == []
