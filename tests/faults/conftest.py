"""Tills on a faulty disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.zygote import Zygote
from tests.pos.pos_process import Pos


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    found = Zygote()
    yield found
    found.close()


@pytest.fixture
def pos(tmp_path: Path) -> Iterator[Pos]:
    till = Pos(tmp_path)
    yield till
    till.kill()
    till.client.close()
