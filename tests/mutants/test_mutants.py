"""The mutants fit the code as it is, and the tool that tries them tells a caught one from a survivor."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant, MutantError
from tests.mutants.run import try_all

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)
INVARIANTS = dict(ROW.findall((ROOT / "docs/invariants.md").read_text()))
TOOLS = {  # of tests/faults: they try the tools, not the product
    "test_the_disk_keeps_what_was_synced_and_any_part_of_what_was_not",
    "test_the_disk_forgets_a_name_whose_folder_was_not_synced",
    "test_a_write_during_a_sync_is_not_synced_by_it",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_names_an_invariant_and_tests_that_exist(mutant: Mutant) -> None:
    assert (ROOT / mutant.path).read_text().count(mutant.old) == 1
    assert str(mutant.invariant) in INVARIANTS
    for address in mutant.tests:
        file, _, test = address.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text() if test else (ROOT / file).exists()


def test_every_invariant_tells_how_it_is_broken_on_purpose() -> None:
    told = {name for names in INVARIANTS.values() for name in names.split("; ") if name}
    assert told == {mutant.name for mutant in MUTANTS}
    for mutant in MUTANTS:
        assert mutant.name in INVARIANTS[str(mutant.invariant)].split("; ")


def test_every_fault_that_is_tried_holds_an_invariant() -> None:
    tried = {
        name
        for path in (ROOT / "tests" / "faults").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    told = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/invariants.md").read_text()))
    assert tried - told == TOOLS


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 15


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of one function and one test, which looks at half of what the function does."""
    (tmp_path / "doubling.py").write_text(
        "def double(number):\n    said = 'ok'\n    return number * 2, said\n"
    )
    (tmp_path / "test_code.py").write_text(
        "from doubling import double\n\n\ndef test_doubles():\n    assert double(4)[0] == 8\n"
    )
    return tmp_path


def mutant(name: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, 1, "doubling.py", old, new, tests or ("test_code.py::test_doubles",))


def test_a_mutant_that_a_test_notices_is_caught_and_one_that_none_does_survives(tree: Path) -> None:
    before = (tree / "doubling.py").read_text()
    mutants = (mutant("noticed", "* 2", "* 3"), mutant("unnoticed", "'ok'", "'no'"))
    results = try_all(tree, mutants, 2)
    assert [result.verdict for result in results] == ["caught", "survived"]
    assert "test_code.py::test_doubles" in results[0].detail
    assert (tree / "doubling.py").read_text() == before


def test_a_mutant_that_fits_no_more_or_whose_tests_fail_anyway_proves_nothing(tree: Path) -> None:
    mutants = (
        mutant("old", "* 5", "* 3"),
        mutant("no test", "* 2", "* 3", "test_code.py::test_gone"),
        mutant("no code", "def double", "def double double"),
    )
    assert [result.verdict for result in try_all(tree, mutants, 1)] == ["broken"] * 3
    with pytest.raises(MutantError, match="0 times"):
        mutants[0].apply(tree)


def test_asking_for_a_mutant_that_there_is_not_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no such mutant"]) == 2
    assert "no mutant" in capsys.readouterr().err
