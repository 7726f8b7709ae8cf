"""The power goes at any moment: what a disk may then have lost, tills survive."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from tests.faults import disk as recorded
from tests.faults.disk import Entry
from tests.faults.image import Disk, materialise
from tests.faults.till_on_disk import cut_and_look, record_session
from tests.pos.pos_process import ROOT, Pos
from tests.pos.zygote import Zygote

SEED = int(os.environ.get("GREENTILL_SEED", random.SystemRandom().randrange(1 << 32)))


def test_after_a_power_cut_at_sampled_moments_nothing_acknowledged_is_lost(
    pos: Pos, zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("GREENTILL_SEED =", SEED)  # noqa: T201 - shown with a failure
    session = record_session(pos, monkeypatch, sales=60, terminals=4)
    assert len(session.receipts) == 60
    points = session.points()
    chosen = random.Random(SEED).sample(points, 30)  # noqa: S311 - which moments
    answered = [answer.when + 1 for answer in session.receipts]
    cut_and_look(session, {*chosen, *answered[::12], points[-1]}, tmp_path / "cuts", zygote, SEED)


def test_no_answer_leaves_the_till_before_its_record_is_on_disk(
    pos: Pos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = record_session(pos, monkeypatch, sales=40, terminals=4, sync_seconds=0.02)
    disk, played = session.disk_before, 0
    assert len(session.receipts) == 40
    for answer in session.receipts:
        disk.play(session.played[played : answer.when])
        played = answer.when
        folder = tmp_path / "cuts" / str(answer.when)
        materialise(disk.worst(), folder)
        with apsw.Connection(str(folder / "ledger.db")) as connection:
            rows = connection.execute("SELECT hash FROM records WHERE sale_id = ?", (answer.body["sale_id"],))
            assert rows.fetchall() == [(answer.body["hash"],)]


def test_a_file_written_whole_is_there_as_soon_as_the_program_says_so(tmp_path: Path) -> None:
    root, journal = tmp_path / "root", tmp_path / "journal"
    root.mkdir()
    program = (
        "import sys; from pathlib import Path; from edge_components.edgekit.files import write_json\n"
        "for n in range(20): write_json(Path(sys.argv[1]) / 'cursor.json', {'n': n}); print(n, flush=True)"
    )
    before = Disk(root)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **recorded.environment(root, journal=journal)}
    subprocess.run([sys.executable, "-c", program, str(root)], env=environment, check=True)
    told = -1
    for number, entry in enumerate(recorded.entries(journal)):
        before.play([entry])
        told = int(entry.data) if entry.kind == "a" and entry.data.strip() else told
        for image in (before.worst(), before.image(random.Random(number))):  # noqa: S311 - what the cut takes
            if told >= 0 or "cursor.json" in image:
                assert json.loads(image["cursor.json"])["n"] >= told
    assert told == 19


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_after_a_power_cut_at_every_write_of_a_few_sales_nothing_acknowledged_is_lost(
    pos: Pos, zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("GREENTILL_SEED =", SEED)  # noqa: T201 - shown with a failure
    session = record_session(pos, monkeypatch, sales=6, terminals=2)
    cut_and_look(session, session.points(), tmp_path / "cuts", zygote, SEED)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_after_a_power_cut_at_500_random_moments_under_load_nothing_acknowledged_is_lost(
    pos: Pos, zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("GREENTILL_SEED =", SEED)  # noqa: T201 - shown with a failure
    session = record_session(pos, monkeypatch, sales=600, terminals=6, lines=20)
    points = session.points()
    chosen = random.Random(SEED).sample(points, min(500, len(points)))  # noqa: S311 - which moments
    cut_and_look(session, chosen, tmp_path / "cuts", zygote, SEED)


def image_of(tmp_path: Path, *played: Entry, seeds: int = 40) -> set[tuple[tuple[str, bytes], ...]]:
    disk = Disk(tmp_path)
    disk.play(played)
    return {tuple(sorted(disk.image(random.Random(seed)).items())) for seed in range(seeds)}  # noqa: S311


def entry(kind: str, path: str = "", number: int = 0, data: bytes = b"", inode: int = 1) -> Entry:
    return Entry(kind, inode, number, path, data)


def test_the_disk_keeps_what_was_synced_and_any_part_of_what_was_not(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    opened, folder = entry("o", path), [entry("s", number=1, inode=0), entry("S", number=1, inode=0)]
    synced = [entry("w", data=b"a" * 512), entry("s", number=2), entry("S", number=2)]
    torn = image_of(tmp_path, opened, *folder, *synced, entry("w", number=0, data=b"b" * 1024))
    old, new, hole = b"a" * 512, b"b" * 512, b"\0" * 512
    assert torn == {(("file", found),) for found in (old, new + new, old + new, new)} - {(("file", hole),)}


def test_the_disk_forgets_a_name_whose_folder_was_not_synced(tmp_path: Path) -> None:
    opened, written = entry("o", str(tmp_path / "file")), entry("w", data=b"x")
    synced = [entry("s", number=1), entry("S", number=1)]
    assert image_of(tmp_path, opened, written, *synced) == {(), (("file", b"x"),)}


def test_a_write_during_a_sync_is_not_synced_by_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0")
    inode = (tmp_path / "file").stat().st_ino
    played = [
        entry("o", str(tmp_path / "file"), inode=inode),
        entry("s", number=1, inode=inode),
        entry("w", data=b"1", inode=inode),
        entry("S", number=1, inode=inode),
    ]
    assert image_of(tmp_path, *played) == {(("file", b"0"),), (("file", b"1"),)}
