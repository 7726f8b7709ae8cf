"""Every name carries the fleet's name, and no other fleet's name can be mistaken for it."""

import pytest

from infra.names import Names
from infra.settings import SettingsError


def test_names_are_the_ones_that_kits_and_tests_were_told(names: Names) -> None:
    assert names.thing("LOBBY0001") == "greentill-LOBBY0001"
    assert names.stage_group("dev") == "greentill-dev"
    assert names.canary_group("dev") == "greentill-dev-canary"
    assert names.component("Pos") == "com.greentill.Pos"
    assert names.deployment_stack("dev") == "Greentill-Deployment-dev"
    assert names.sales_bucket == "greentill-sales-123456789012-eu-west-1"
    assert names.artifact_key("Pos", "sha256:ab", "pos.zip") == "components/Pos/ab/pos.zip"


def test_a_thing_gives_its_serial_back(names: Names) -> None:
    assert names.serial(names.thing("LOBBY0001")) == "LOBBY0001"


@pytest.mark.parametrize("thing", ["greentil-LOBBY0001", "LOBBY0001", "greentill-dev-canary"])
def test_another_fleets_thing_has_no_serial_here(names: Names, thing: str) -> None:
    with pytest.raises(SettingsError):
        names.serial(thing)


@pytest.mark.parametrize("fleet", ["Green", "green-till", "gt", "1till", "g" * 21, "till_a"])
def test_a_fleets_name_that_could_overlap_or_break_a_bucket_is_refused(fleet: str) -> None:
    with pytest.raises(SettingsError, match="fleet"):
        Names(fleet, "123456789012", "eu-west-1")


@pytest.mark.parametrize("serial", ["AB1", "A" * 33, "TILL-0001", "TILL 0001", "../TILL", ""])
def test_a_serial_that_could_leave_its_place_in_a_name_is_refused(names: Names, serial: str) -> None:
    with pytest.raises(SettingsError, match="serial"):
        names.thing(serial)


def test_the_longest_fleet_name_still_fits_a_bucket() -> None:
    longest = Names("g" * 20, "123456789012", "ap-southeast-1")
    assert len(longest.artifact_bucket) <= 63
