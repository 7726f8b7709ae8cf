"""When an update of components may go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_components.pos.settings import Settings
from edge_components.pos.updates import MOST_SECONDS, Updates

NIGHT = {"daily": "02:00-05:00"}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
THREE = datetime(2026, 11, 21, 3, tzinfo=UTC)


class Asked:
    """A till that a nucleus asks, in hours that the test sets."""

    def __init__(self, folder: Path, local: datetime | None = NOON, **settings: object) -> None:
        self.local = local
        self.now = 1_000.0
        self.settings = replace(Settings(data_dir=folder), **settings)  # type: ignore[arg-type]
        self.updates = self.anew()

    def anew(self, boot_id: str = "boot") -> Updates:
        self.updates = Updates(self.settings, boot_id, lambda: self.now)
        self.updates.local = lambda: self.local
        return self.updates

    def wait(self, deployment: str = "one") -> float:
        """Seconds."""
        return self.updates.wait_milliseconds(deployment) / 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_an_update_waits_for_the_last_basket_and_for_nothing_else(folder: Path) -> None:
    till = Asked(folder)
    assert till.wait() == 0
    till.updates.busy()
    assert till.wait() == 15
    till.now += 15
    assert till.wait() == 0


def test_an_update_waits_for_the_stores_window(folder: Path) -> None:
    till = Asked(folder, update_window=NIGHT)
    assert till.wait() > 0
    till.local = THREE
    assert till.wait() == 0
    till.updates.busy()
    assert till.wait() == 15


def test_without_a_clock_that_can_be_trusted_any_hour_will_do(folder: Path) -> None:
    assert Asked(folder, None, update_window=NIGHT).wait() == 0


def test_what_is_urgent_waits_for_open_baskets_only(folder: Path) -> None:
    till = Asked(folder, update_window=NIGHT, urgent_updates=True)
    assert till.wait() == 0
    till.updates.busy()
    assert till.wait() == 15


def test_no_update_waits_longer_than_a_day_whatever_goes_on(folder: Path) -> None:
    till = Asked(folder, update_window=NIGHT)
    assert till.wait() > 10
    till.now += MOST_SECONDS - 10
    till.updates.busy()
    assert till.wait() == 10
    till.now += 10
    till.updates.busy()
    assert till.wait() == 0


def test_the_day_is_counted_across_a_restart_of_the_till_and_for_each_deployment(folder: Path) -> None:
    till = Asked(folder, update_window=NIGHT)
    till.wait()
    till.now += MOST_SECONDS - 10
    till.anew()
    assert till.wait() == 10
    assert till.wait("two") > 10
    till.now += MOST_SECONDS
    assert till.wait("two") == 0
    till.anew("another boot")
    assert till.wait("two") > 10  # the machine's time began anew, and so did the nucleus


def test_a_note_that_cannot_be_kept_holds_nothing_up(folder: Path) -> None:
    till = Asked(folder / "nowhere")
    assert till.wait() == 0


def test_changed_settings_hold_for_an_update_that_waits(folder: Path) -> None:
    till = Asked(folder, update_window=NIGHT)
    assert till.wait() > 0
    till.updates.use(replace(till.settings, update_window={}))
    assert till.wait() == 0


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1", "1e300", "1" + "0" * 400, '"x"', "null"])
def test_a_note_that_says_no_time_of_this_machine_is_written_anew(folder: Path, seconds: str) -> None:
    """Or an update would wait for ever, or its question be answered with an error."""
    (folder / "update.json").write_text(f'{{"deployment": "one", "boot_id": "boot", "seconds": {seconds}}}')
    till = Asked(folder, update_window=NIGHT)
    assert till.wait() == 300
    till.now += MOST_SECONDS
    assert till.wait() == 0
