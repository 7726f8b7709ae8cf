"""A till takes a new certificate, and whatever interrupts it, what it tells the cloud is what is so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_components.commands.helper import Helper, HelperError
from edge_components.commands.memory import Memory, Swap
from edge_components.commands.rotation import Rotation, SwappedError, fingerprint_of
from edge_components.commands.shadow import Document
from edge_components.edgekit.ipc import IpcError
from tests.commands.root_helper import RootHelper

PEM = "-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n"
NEW, OLD = fingerprint_of(PEM), "0" * 64
WANTED = {"rotation": "r1"}
SIGNED = {"rotation": "r1", "certificate_id": NEW, "certificate_pem": PEM}
REQUESTED = {"rotation": "r1", "state": "requested"}


class Till:
    """A rotation in front of a helper and a cloud; `restart` is a new process, `reboot` a new machine."""

    def __init__(self, folder: Path, helper: RootHelper) -> None:
        self.root = helper
        self.told: list[dict[str, Any]] = []
        self.offline = False
        self.boot = "boot-1"
        self.memory = Memory(folder / "rotation.json")
        self.helper = Helper(helper.folder, seconds=60)
        self.restart()

    def restart(self) -> None:
        self.rotation = Rotation(self.helper, self.memory, self._report, lambda: self.boot)

    def reboot(self) -> None:
        self.boot = "boot-2"
        self.root.forget()
        self.restart()

    def follow(self, desired: dict[str, Any], reported: dict[str, Any] | None = None) -> bool:
        return self.rotation.follow(Document(desired, reported or {}, time.time()))

    def _report(self, reported: Any) -> None:
        if self.offline:
            raise IpcError("the nucleus is offline")
        self.told.append({key: value for key, value in reported.items() if value is not None})


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    with RootHelper(tmp_path / "run") as helper:
        helper.verbs = {
            "request-certificate": lambda: ("done", "", {"csr": "CSR", "fingerprint": OLD}),
            "swap-certificate": lambda: ("done", "", {"fingerprint": NEW}),
            "keep-certificate": lambda: ("done", "", {"fingerprint": NEW}),
        }
        yield Till(tmp_path, helper)


def swapped(till: Till) -> None:
    with pytest.raises(SwappedError):
        till.follow(SIGNED, REQUESTED)
    till.restart()


def test_a_till_that_is_asked_for_nothing_does_nothing(till: Till) -> None:
    assert till.follow({}) is False
    assert (till.told, till.root.asked) == ([], [])


def test_it_asks_with_a_key_of_its_own_swaps_keeps_and_tells_in_this_order(till: Till) -> None:
    assert till.follow(WANTED) is True
    assert till.told == [{"rotation": "r1", "state": "requested", "csr": "CSR"}]
    swapped(till)
    assert till.root.given() == PEM
    assert len(till.told) == 1  # nothing is told through the old connection
    assert till.follow(SIGNED, REQUESTED) is True
    assert till.root.asked == ["request-certificate", "swap-certificate", "keep-certificate"]
    assert till.told[1:] == [{"rotation": "r1", "state": "swapped", "certificate_id": NEW}]
    assert till.follow({}, {"rotation": "r1", "state": "swapped"}) is True
    assert till.follow({}, {"rotation": "r1", "state": "swapped"}) is False
    assert till.memory.load() is None


def test_an_outcome_is_told_until_the_cloud_shows_that_it_has_heard(till: Till) -> None:
    swapped(till)
    till.offline = True
    with pytest.raises(IpcError):
        till.follow(SIGNED, REQUESTED)
    till.offline = False
    till.restart()
    for _ in range(2):
        till.follow(SIGNED, REQUESTED)
    assert [one["state"] for one in till.told] == ["swapped", "swapped"]
    assert till.root.asked.count("keep-certificate") == 1


def test_a_certificate_that_the_helper_refuses_is_told_with_the_reason_and_the_old_one_stays(
    till: Till,
) -> None:
    till.root.verbs["swap-certificate"] = lambda: ("refused", "no credentials for it", {"fingerprint": OLD})
    till.follow(SIGNED, REQUESTED)
    assert till.told == [
        {"rotation": "r1", "state": "failed", "certificate_id": NEW, "reason": "no credentials for it"}
    ]
    assert "keep-certificate" not in till.root.asked


def test_a_till_that_went_back_says_failed_whatever_the_swap_had_said(till: Till) -> None:
    swapped(till)
    till.root.verbs["keep-certificate"] = lambda: ("done", "", {"fingerprint": OLD})
    till.follow(SIGNED, REQUESTED)
    assert till.told[-1]["state"] == "failed"
    assert "did not come back" in till.told[-1]["reason"]


@pytest.mark.parametrize(("in_use", "outcome"), [(NEW, "swapped"), (OLD, "failed")])
def test_after_a_power_cut_the_certificate_in_use_decides(till: Till, in_use: str, outcome: str) -> None:
    swapped(till)
    till.reboot()
    till.root.verbs["keep-certificate"] = lambda: ("done", "", {"fingerprint": in_use})
    till.follow(SIGNED, REQUESTED)
    assert till.told[-1]["state"] == outcome


def test_power_lost_after_keeping_and_before_telling_does_not_condemn_the_new_certificate(till: Till) -> None:
    swapped(till)
    till.offline = True
    with pytest.raises(IpcError):
        till.follow(SIGNED, REQUESTED)
    till.offline = False
    till.memory.save(Swap("r1", NEW, NEW, "boot-1", time.time()))  # as before keeping
    till.reboot()
    till.follow(SIGNED, REQUESTED)
    assert till.told[-1]["state"] == "swapped"


def test_nothing_is_kept_on_the_word_of_a_document_from_before_the_swap_was_over(till: Till) -> None:
    swapped(till)
    earlier = Document(SIGNED, REQUESTED, time.time() - 60)
    assert till.rotation.follow(earlier) is True
    assert "keep-certificate" not in till.root.asked


def test_a_request_is_repeated_while_there_is_no_certificate(till: Till) -> None:
    for _ in range(3):
        till.follow(WANTED, REQUESTED)
    assert len(till.told) == 3


def test_a_new_order_waits_for_the_end_of_the_swap_under_way(till: Till) -> None:
    swapped(till)
    till.follow({"rotation": "r2"}, REQUESTED)
    assert till.told[-1] == {"rotation": "r1", "state": "swapped", "certificate_id": NEW}
    assert till.follow({"rotation": "r2"}, {"rotation": "r1", "state": "swapped"}) is True
    till.follow({"rotation": "r2"}, {"rotation": "r1", "state": "swapped"})
    assert till.told[-1]["rotation"] == "r2"


def test_what_comes_instead_of_a_certificate_is_told_as_such(till: Till) -> None:
    till.follow({**SIGNED, "certificate_pem": "<html>"}, REQUESTED)
    assert till.told[-1]["reason"] == "the certificate that came can't be read"
    assert till.root.asked == []


def test_a_till_without_the_helper_says_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(HelperError, match=r"is pi_bootstrap\.sh older than the components\?"):
        Helper(tmp_path / "nowhere", seconds=1).ask("request-certificate")


def test_a_memory_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "rotation.json")
    (tmp_path / "rotation.json").write_text("{")
    assert memory.load() is None
