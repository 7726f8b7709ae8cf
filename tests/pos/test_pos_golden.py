"""Golden records of every kind, and the reports that follow from them: any language can check itself here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_components.edgekit import record
from edge_components.pos import figures, schema
from edge_components.pos.voids import negated
from tests.pos.till_ledger import LedgerInTest

ROOT = Path(__file__).parents[2]
RECORDS = json.loads((ROOT / "tests/vectors/records.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((ROOT / "docs/record.schema.json").read_text(encoding="utf-8"))
DICTIONARY = (ROOT / "docs/data-dictionary.md").read_text(encoding="utf-8")


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in RECORDS if one["kind"] == kind]


def test_there_is_a_golden_record_of_every_kind_that_the_schema_knows():
    assert {one["kind"] for one in RECORDS} == set(SCHEMA["properties"]["kind"]["enum"])


@pytest.mark.parametrize("one", RECORDS, ids=lambda one: f"{one['seq']}-{one['kind']}")
def test_a_record_without_its_bodys_first_key_does_not_keep_to_the_schema(one):
    validator = Draft202012Validator(SCHEMA)
    validator.validate(one)
    for key in one["body"]:
        less = {name: value for name, value in one["body"].items() if name != key}
        assert not validator.is_valid({**one, "body": less})
    assert not validator.is_valid({**one, "body": {**one["body"], "surprise": 1}})


@pytest.mark.parametrize("one", RECORDS, ids=lambda one: f"{one['seq']}-{one['kind']}")
def test_the_till_writes_each_golden_record_in_its_canonical_form(one):
    unsealed = {key: value for key, value in one.items() if key != "hash"}
    assert record.sealed_text(unsealed) == (one["hash"], record.canonical(one).decode())


def test_the_golden_z_report_follows_from_the_records_before_it(tmp_path):
    connection = LedgerInTest(tmp_path).ledger.connection
    for one in RECORDS[:-1]:
        figures.note(connection, one)
    (close,) = of_kind("day_close")
    found = figures.report(
        figures.read(connection), business_date="2026-11-21", currency="USD", counted=10_100
    )
    assert found == close["body"]
    figures.note(connection, close)
    assert figures.read(connection) == []
    assert schema.meta(connection, "schema_version") == "2"


def test_the_golden_void_is_its_sale_turned_round():
    (void,) = of_kind("void")
    (sale,) = [one for one in RECORDS if one["hash"] == void["body"]["voids"]["hash"]]
    turned = {key: void["body"][key] for key in sale["body"]}
    assert turned == negated(sale["body"])
    assert negated(negated(sale["body"])) == sale["body"]


def fields(shape: object) -> set[str]:
    if isinstance(shape, list):
        return set().union(*map(fields, shape))
    if not isinstance(shape, dict):
        return set()
    named = set(shape["properties"]) if isinstance(shape.get("properties"), dict) else set()
    return named.union(*map(fields, shape.values()))


def test_the_data_dictionary_describes_every_field_and_kind_and_nothing_else():
    described = set(re.findall(r"^\| `([a-z_]+)` \|", DICTIONARY, re.MULTILINE))
    known = fields(SCHEMA) | set(SCHEMA["properties"]["kind"]["enum"])
    assert known - described == set()
    assert described - known == set()
