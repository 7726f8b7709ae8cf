"""A till to test: configured for the test's folder, ended with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pos.pos_process import Pos


@pytest.fixture
def pos(tmp_path: Path) -> Iterator[Pos]:
    till = Pos(tmp_path)
    yield till
    till.kill()
    till.client.close()


@pytest.fixture
def selling(pos: Pos) -> Pos:
    """A till that has its assignment and sells."""
    pos.assign()
    return pos.start()
