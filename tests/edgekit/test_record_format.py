"""The record format: one canonical form, one hash, a chain that shows every change."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge_components.edgekit import record

ROOT = Path(__file__).parents[2]
CANONICAL = json.loads((ROOT / "tests/vectors/canonical.json").read_text(encoding="utf-8"))
RECORDS = json.loads((ROOT / "tests/vectors/records.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((ROOT / "docs/record.schema.json").read_text(encoding="utf-8"))

texts = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-record.MAX_INTEGER, record.MAX_INTEGER)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("vector", CANONICAL, ids=lambda vector: vector["what"])
def test_golden_vectors_have_their_canonical_form_and_hash(vector):
    value = record.parse(vector["json"])
    assert record.canonical(value) == vector["canonical"].encode()
    assert record.digest(value) == vector["sha256"]


@given(values)
def test_the_canonical_form_reads_back_as_the_same_value_and_is_its_own_canonical_form(value):
    text = record.canonical(value)
    assert record.parse(text) == value
    assert record.canonical(record.parse(text)) == text


@given(st.dictionaries(texts, integers, min_size=2), st.randoms())
def test_the_order_in_which_keys_arrive_changes_nothing(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert record.canonical({key: value[key] for key in keys}) == record.canonical(value)


@given(st.dictionaries(texts, st.none(), min_size=2))
def test_keys_come_in_the_order_of_their_utf16_code_units(value):
    keys = list(json.loads(record.canonical(value)))
    units = [
        [int.from_bytes(k.encode("utf-16-be")[i : i + 2], "big") for i in range(0, 2 * len(k), 2)]
        for k in keys
    ]
    assert units == sorted(units)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        b"bytes",
        {"a": [0.5]},
        {1, 2},
    ],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(record.RecordError):
        record.canonical(value)


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "1e3",
        "NaN",
        "Infinity",
        "9007199254740992",
        "1" * 5000,
        '{"a":1,"a":2}',
        "{",
        "",
        "[" * 100_000,
        b"\xff",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_not_strict_json_is_refused(text):
    with pytest.raises(record.RecordError):
        record.parse(text)


def test_golden_records_carry_their_own_hash_and_form_a_chain():
    assert [record.record_hash(one) for one in RECORDS] == [one["hash"] for one in RECORDS]
    assert record.first_break(RECORDS) is None


@pytest.mark.parametrize("one", RECORDS, ids=lambda one: one["kind"])
def test_golden_records_keep_to_the_schema(one):
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(one)
    assert tuple(SCHEMA["required"]) == record.KEYS


@pytest.mark.parametrize("key", [key for key in record.KEYS if key != "hash"])
def test_a_change_to_any_part_of_a_record_breaks_the_chain(key):
    changed = [RECORDS[0], {**RECORDS[1], key: "changed"}]
    assert record.first_break(changed) is not None


@pytest.mark.parametrize("one", RECORDS, ids=lambda one: one["kind"])
def test_the_text_of_a_record_tells_its_hash_and_any_other_byte_another_one(one):
    text, own = record.canonical(one).decode(), one["hash"]
    assert record.text_has_hash(text, own)
    assert not record.text_has_hash(text.replace(own, "0" * 64), own)
    assert not record.text_has_hash(text, "0" * 64)
    for place in range(0, len(text), 7):
        other = "\udc80" if text[place] == "x" else "x"
        assert not record.text_has_hash(f"{text[:place]}{other}{text[place + 1 :]}", own)


def test_a_gap_shows_without_hashing_again_and_a_hash_that_is_not_its_own_is_not_asked_for():
    assert record.first_gap(RECORDS) is None
    assert "seq 1 comes before" in str(record.first_gap([RECORDS[0], RECORDS[2]]))
    assert record.first_gap([{**RECORDS[0], "store": "other"}]) is None


def test_a_missing_a_repeated_and_a_foreign_record_break_the_chain():
    third = record.seal({**RECORDS[1], "seq": 3, "prev_hash": RECORDS[1]["hash"]})
    forged = record.seal({**RECORDS[1], "prev_hash": "f" * 64})
    assert "seq 1 comes before" in str(record.first_break([RECORDS[0], third]))
    assert "seq 2 comes before" in str(record.first_break([*RECORDS[:2], RECORDS[1]]))
    assert "prev_hash" in str(record.first_break([RECORDS[0], forged]))
    assert record.first_break([third], previous=RECORDS[1]) is None
    assert record.first_break([third], previous=RECORDS[0]) is not None


def test_an_epoch_begins_at_one_and_follows_nothing():
    later = {"epoch": "f" * 16}
    opening = record.seal({**RECORDS[0], **later})
    assert record.first_break([*RECORDS, opening]) is None
    assert record.first_break([*RECORDS, record.seal({**RECORDS[1], **later})]) is not None
    assert record.first_break([record.seal({**RECORDS[0], "prev_hash": "a" * 64})]) is not None


def test_a_record_without_its_place_in_the_chain_is_a_break_and_not_a_crash():
    without = {key: value for key, value in RECORDS[1].items() if key != "prev_hash"}
    assert "lacks its place" in str(record.first_break([record.seal(without)]))
    assert "hash" in str(record.first_break([{}]))


@given(st.dictionaries(texts, values))
def test_sealing_at_once_gives_what_sealing_and_writing_one_after_the_other_give(value):
    value.pop("hash", None)
    try:
        sealed = record.seal(value)
    except record.RecordError:
        return
    assert record.sealed_text(value) == (sealed["hash"], record.canonical(sealed).decode())
