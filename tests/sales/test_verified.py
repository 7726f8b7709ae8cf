"""The quick look at a record says what edgekit.record, the definition, says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_components.edgekit import record
from edge_components.edgekit.record import RecordError
from sales.verified import HashError, verified
from tests.sales.chains import chain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(body=VALUES)
def test_every_sealed_record_verifies(body: Any) -> None:
    sealed = record.seal({**chain()[2], "body": body})
    assert verified(record.canonical(sealed)) == sealed


@settings(max_examples=150, deadline=None)
@given(where=st.integers(0, 600), flip=st.integers(1, 255))
def test_no_changed_byte_gets_through(where: int, flip: int) -> None:
    text = bytearray(record.canonical(chain()[2]))
    text[where % len(text)] ^= flip
    with pytest.raises((RecordError, HashError)):
        verified(bytes(text))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"seq":3', b'"seq": 3'),
        lambda text: text.replace(b'"seq":3', b'"seq":3.0'),
        lambda text: text.replace(b'"seq":3', b'"seq":3,"seq":3'),
        lambda text: text.replace(b'"seq":3', b'"seq":9007199254740993'),
        lambda text: text.replace(b'"body"', b'"boody"'),
        lambda text: text + b"\n",
        lambda text: b"[" * 100_000,
        lambda text: b"\xff",
        lambda text: b"",
    ],
)
def test_what_is_not_in_canonical_form_is_no_record(change: Any) -> None:
    with pytest.raises(RecordError):
        verified(change(record.canonical(chain()[2])))


def test_keys_that_sort_otherwise_in_utf_16_are_told_right() -> None:
    sealed = record.seal({**chain()[2], "body": {"\ufb33": 1, "\U0001f600": 2}})
    assert verified(record.canonical(sealed)) == sealed
