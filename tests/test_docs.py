"""The documents must not name what is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_every_invariant_names_tests_that_exist():
    written = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/invariants.md").read_text()))
    existing = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    assert written
    assert written <= existing


def test_every_invariant_has_a_test():
    rows = re.findall(r"^\| \d+ \|.*$", (ROOT / "docs/invariants.md").read_text(), re.MULTILINE)
    assert rows
    assert [row for row in rows if "`test_" not in row] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", document.read_text())
    }
    assert named <= targets
