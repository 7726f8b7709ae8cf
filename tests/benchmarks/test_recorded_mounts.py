"""A disk for programs that LD_PRELOAD can't reach, and what it tells of NATS JetStream."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.jetstream import JetStream
from benchmarks.peers import sales
from benchmarks.recorded_mount import Recorded
from benchmarks.recorded_mounts import Journal, recorded
from tests.faults import disk
from tests.faults.image import Disk, materialise


def kinds(journal: Path) -> str:
    return "".join(entry.kind for entry in disk.entries(journal))


def test_a_folder_passed_on_tells_of_every_write_sync_and_name_in_order(tmp_path: Path) -> None:
    folder, journal = tmp_path / "data", tmp_path / "journal"
    folder.mkdir()
    before = Disk(folder)
    passed_on = Recorded(folder, Journal(journal))
    handle = passed_on.create("/new", 0o600)
    assert passed_on.write("/new", b"synced, cut", 0, handle) == 11
    passed_on.truncate("/new", 6, handle)
    passed_on.fsync("/new", 0, handle)
    passed_on.write("/new", b"lost", 6, handle)
    passed_on.rename("/new", "/kept")
    passed_on.fsyncdir("/", 0, 0)
    passed_on.release("/kept", handle)
    passed_on.create("/nameless", 0o600)
    assert sorted(passed_on.readdir("/", 0)) == [".", "..", "kept", "nameless"]
    assert (folder / "kept").read_bytes() == b"syncedlost"
    assert kinds(journal) == "owtsSwrsSo"
    before.play(disk.entries(journal))
    assert before.worst() == {"kept": b"synced"}


def test_a_journal_written_from_elsewhere_reads_as_the_disk_s_own(tmp_path: Path) -> None:
    entries = [disk.Entry("w", 7, 4096, "", b"\0\xff"), disk.Entry("r", 0, 0, "/a/ü", b"/b")]
    (tmp_path / "journal").write_bytes(b"".join(disk.encode(entry) for entry in entries))
    assert list(disk.entries(tmp_path / "journal")) == entries


def test_a_file_s_sync_keeps_its_name_on_ext4_and_not_by_the_letter_of_posix(tmp_path: Path) -> None:
    for ext4, left in ((True, {"new": b"x"}), (False, {})):
        folder, journal = tmp_path / f"data{ext4}", tmp_path / f"journal{ext4}"
        folder.mkdir()
        before = Disk(folder, names_with_files=ext4)
        passed_on = Recorded(folder, Journal(journal))
        handle = passed_on.create("/new", 0o600)
        passed_on.write("/new", b"x", 0, handle)
        passed_on.fsync("/new", 0, handle)
        passed_on.release("/new", handle)
        before.play(disk.entries(journal))
        assert before.worst() == left


@pytest.mark.slow
def test_the_kernel_asks_for_a_sync_after_each_write_to_a_file_opened_with_o_sync(tmp_path: Path) -> None:
    folder, journal = tmp_path / "data", tmp_path / "journal"
    folder.mkdir()
    with recorded(folder, journal) as mounted:
        handle = os.open(mounted / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_SYNC, 0o600)
        os.write(handle, b"one")
        os.write(handle, b"two")
        os.close(handle)
    assert not mounted.is_mount()
    assert (folder / "log").read_bytes() == b"onetwo"
    assert kinds(journal) == "owsSwsS"


@pytest.mark.slow
def test_jetstream_syncs_before_it_acknowledges_and_knows_a_sale_that_comes_again(tmp_path: Path) -> None:
    folder, journal = tmp_path / "data", tmp_path / "journal"
    folder.mkdir()
    peer, before, sold = JetStream(), Disk(folder, names_with_files=True), sales(6)
    peer.keep(folder, sold, disk.environment(folder, journal=journal))
    played = list(disk.entries(journal))
    told = peer.told(played)
    assert len(told) == 6
    before.play(played[: told[-1] + 1])
    image = tmp_path / "cut" / "data"
    materialise(before.worst(), image)
    peer.keep(image, sold[5:], {})
    assert peer.present(image) == dict.fromkeys(range(6), 1)
