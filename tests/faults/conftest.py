"""Tills on a faulty disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.disk import library
from tests.pos.pos_process import Pos
from tests.pos.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    found = Zygote(library())
    yield found
    found.close()


@pytest.fixture
def pos(tmp_path: Path) -> Iterator[Pos]:
    till = Pos(tmp_path)
    yield till
    till.kill()
    till.client.close()
