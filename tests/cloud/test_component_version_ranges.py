"""Version ranges mean to the cloud what they mean to a core."""

from __future__ import annotations

import pytest

from twin.cloud.greengrass.versions import VersionError, key, satisfies


@pytest.mark.parametrize(
    ("version", "requirement", "expected"),
    [
        ("1.0.0", "1.0.0", True),
        ("1.0.1", "1.0.0", False),
        ("1.9.9", ">=1.0.0 <2.0.0", True),
        ("2.0.0", ">=1.0.0 <2.0.0", False),
        ("1.2.3", "^1.0.0", True),
        ("2.0.0", "^1.0.0", False),
        ("0.3.0", "^0.2.1", False),
        ("1.2.9", "~1.2.3", True),
        ("1.3.0", "~1.2.3", False),
        ("3.1.4", "*", True),
        ("2.5.0", "1.0.0 || >=2.5.0", True),
        ("1.4.0", "1.x", True),
    ],
)
def test_a_range_admits_what_it_says(version, requirement, expected):
    assert satisfies(version, requirement) is expected


def test_a_pre_release_comes_before_its_release():
    assert sorted(["1.0.0", "1.0.0-rc.2", "1.0.0-rc.10", "0.9.0"], key=key) == [
        "0.9.0",
        "1.0.0-rc.2",
        "1.0.0-rc.10",
        "1.0.0",
    ]


def test_what_is_no_range_is_refused():
    with pytest.raises(VersionError):
        satisfies("1.0.0", "latest")
