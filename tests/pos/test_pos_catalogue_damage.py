"""A catalogue is looked through before the till sells by it: one torn page among hundreds is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_components.pos.catalogue import Catalogue, DamagedSnapshotError, Snapshot
from tests.catalogue.conftest import product
from tests.catalogue.test_pos_catalogue import Shelf

PAGE = 4096


def tear_a_page(path: Path) -> None:
    """One in the middle, far from those that opening reads."""
    pages = path.stat().st_size // PAGE
    assert pages > 50
    with path.open("r+b") as file:
        file.seek(pages // 2 * PAGE)
        file.write(b"\xa5" * PAGE)


def test_one_torn_page_keeps_the_till_with_the_catalogue_before(tmp_path: Path) -> None:
    shelf, catalogue = Shelf(tmp_path), Catalogue(tmp_path)
    before = shelf.put(product("1"))
    catalogue.look()
    torn = shelf.add(*(product(str(number)) for number in range(3_000)))
    tear_a_page(tmp_path / f"{torn}.sqlite")
    with pytest.raises(DamagedSnapshotError, match="is damaged"):
        Snapshot(tmp_path / f"{torn}.sqlite", torn)
    shelf.name(torn)
    catalogue.look()
    assert catalogue.version == before
    catalogue.close()
