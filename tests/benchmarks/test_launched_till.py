"""A till that is measured runs as on a Pi; what can't be fetched to compare with is said in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import debian, runtime
from benchmarks.figure import BenchmarkError
from benchmarks.launched import LaunchedTill
from benchmarks.processes import pss_megabytes, with_children


def test_a_launched_till_sells_from_a_compiled_copy_with_a_small_process_beside_it(tmp_path: Path) -> None:
    till = LaunchedTill("BENCH", tmp_path, None)
    till.start("pos")
    try:
        till.until_selling()
        beside, pos = with_children(till.running["pos"].pid)
        environment = Path(f"/proc/{pos}/environ").read_bytes().decode().split("\0")
        copies = tmp_path / "runtimes" / "bench" / "code" / "edge_components.pos"
        assert f"PYTHONPATH={next(copies.iterdir())}" in environment
        assert list(copies.rglob("writer.*.pyc"))
        packages = Path(f"/proc/{pos}/maps").read_text(encoding="utf-8")
        assert str(runtime.RUNTIMES) in packages
        assert str(Path(sys.prefix) / "lib") not in packages
        assert pss_megabytes(beside) < pss_megabytes(pos) / 2
    finally:
        till.stop()


def test_a_package_that_apt_does_not_know_ends_the_comparison_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "DOWNLOADS", tmp_path)
    with pytest.raises(BenchmarkError, match=r"apt-get can't get what is compared with: .*no-such-package"):
        debian.unpacked(["no-such-package-here"])
    assert not (tmp_path / "no-such-package-here").exists()
