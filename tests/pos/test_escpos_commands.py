"""The bytes for the printer are those that python-escpos makes of the same receipt."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_components.pos import escpos

CODE = f"GT1:greentill-X:0000000000000001:42:{'a' * 64}"
DRAWER = [27, 112, 0, 25, 250]  # pin 2, 50 ms on, 500 ms off
WORDS = st.text(st.characters(exclude_categories=["C"]), max_size=42)  # what receipt_text lets through
Library = Callable[[], Any]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Makes the library's printers. Imported here, since the import leaves a temporary folder behind."""
    folder: Path = tmp_path_factory.mktemp("escpos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        found = importlib.import_module("escpos.printer")
    yield found.Dummy


def from_the_library(library: Library, lines: list[str], *, open_drawer: bool) -> bytes:
    printer = library()
    printer.hw("INIT")
    printer.charcode("CP858")
    if open_drawer:
        printer.cashdraw(DRAWER)
    for line in lines:
        printer.textln(line)
    printer.set(align="center")
    printer.qr(CODE, ec=1, size=5, model=2, native=True)  # 1: level M, 15 % of it may be lost
    printer.set(align="left")
    printer.ln(2)
    printer.cut(feed=False)
    content: bytes = printer.output
    return content


@given(lines=st.lists(WORDS, max_size=6), open_drawer=st.booleans())
def test_a_receipt_is_the_same_bytes_as_the_librarys(
    library: Library, lines: list[str], open_drawer: bool
) -> None:
    wanted = from_the_library(library, lines, open_drawer=open_drawer)
    assert escpos.receipt(lines, CODE, open_drawer=open_drawer) == wanted


def test_prices_in_euro_and_accents_are_printed_as_they_are(library: Library) -> None:
    lines = ["Crème brûlée         3,50 €", "Jalapeño            £1.20", "Straße"]
    assert escpos.receipt(lines, CODE, open_drawer=True) == from_the_library(library, lines, open_drawer=True)
    assert "é €".encode("cp858") in escpos.receipt(["é €"], CODE, open_drawer=False)
