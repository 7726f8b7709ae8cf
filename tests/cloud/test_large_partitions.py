"""A till's weeks in one partition are read page by page, whole and in order, whichever way they are asked."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import Cloud

pytestmark = pytest.mark.twin
TILL = "greentill-LARGE001"
COUNT = 9_500  # more than the emulator is shown of a partition at once, twice over
KEYS = [f"0000000000000001#{seq:012d}#abcdef12" for seq in range(COUNT)]


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> tuple[Any, str]:
    dynamodb, name = cloud.client("dynamodb"), f"large-{uuid.uuid4().hex[:10]}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    for start in range(0, COUNT, 25):
        puts = [_put(seq) for seq in reversed(range(start, min(start + 25, COUNT)))]
        assert not dynamodb.batch_write_item(RequestItems={name: puts})["UnprocessedItems"]
    other = {"pk": {"S": "greentill-OTHER001"}, "sk": {"S": KEYS[0]}}
    dynamodb.put_item(TableName=name, Item=other)
    return dynamodb, name


def _put(seq: int) -> dict[str, Any]:
    item = {"pk": {"S": TILL}, "sk": {"S": KEYS[seq]}, "seq": {"N": str(seq)}}
    return {"PutRequest": {"Item": item}}


def asked(table: tuple[Any, str], condition: str, values: Mapping[str, str], **more: Any) -> list[str]:
    """The sort keys of all pages, in the order in which they come."""
    dynamodb, name = table
    pages = dynamodb.get_paginator("query").paginate(
        TableName=name,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={":till": {"S": TILL}, **{key: {"S": one} for key, one in values.items()}},
        **more,
    )
    return [item["sk"]["S"] for page in pages for item in page["Items"]]


@pytest.mark.parametrize("limit", [{}, {"Limit": 700}], ids=["pages of a megabyte", "pages of 700"])
def test_a_whole_partition_comes_once_in_order_and_back(
    table: tuple[Any, str], limit: Mapping[str, int]
) -> None:
    assert asked(table, "pk = :till", {}, ConsistentRead=True, **limit) == KEYS
    assert asked(table, "pk = :till", {}, ScanIndexForward=False, **limit) == KEYS[::-1]


def test_a_range_in_the_middle_is_found_though_no_page_of_it_is_near_an_end(
    table: tuple[Any, str],
) -> None:
    bounds = {":first": KEYS[9_000], ":last": KEYS[9_004]}
    assert asked(table, "pk = :till AND sk BETWEEN :first AND :last", bounds) == KEYS[9_000:9_005]
    bounds = {":last": KEYS[4_000]}
    assert asked(table, "pk = :till AND sk < :last", bounds, Limit=900) == KEYS[:4_000]
    found = asked(table, "pk = :till AND sk < :last", bounds, ScanIndexForward=False, Limit=900)
    assert found == KEYS[:4_000][::-1]


def test_the_newest_record_is_the_first_one_backwards(table: tuple[Any, str]) -> None:
    dynamodb, name = table
    newest = dynamodb.query(
        TableName=name,
        KeyConditionExpression="pk = :till",
        ExpressionAttributeValues={":till": {"S": TILL}},
        ScanIndexForward=False,
        Limit=1,
    )
    assert newest["Items"][0]["sk"]["S"] == KEYS[-1]
    assert json.loads(newest["Items"][0]["seq"]["N"]) == COUNT - 1


def test_what_a_filter_leaves_over_is_found_on_whichever_page_it_is(table: tuple[Any, str]) -> None:
    dynamodb, name = table
    pages = dynamodb.get_paginator("query").paginate(
        TableName=name,
        KeyConditionExpression="pk = :till",
        FilterExpression="seq IN (:one, :other)",
        ExpressionAttributeValues={":till": {"S": TILL}, ":one": {"N": "1500"}, ":other": {"N": "8700"}},
        Limit=1_000,
    )
    assert [item["seq"]["N"] for page in pages for item in page["Items"]] == ["1500", "8700"]


def test_what_is_written_between_two_pages_is_in_the_next_one(table: tuple[Any, str]) -> None:
    dynamodb, name = table
    asking = {
        "TableName": name,
        "KeyConditionExpression": "pk = :till",
        "ExpressionAttributeValues": {":till": {"S": TILL}},
        "Limit": 10,
    }
    first = dynamodb.query(**asking)
    late = f"{KEYS[9]}-late"
    dynamodb.put_item(TableName=name, Item={"pk": {"S": TILL}, "sk": {"S": late}})
    second = dynamodb.query(**asking, ExclusiveStartKey=first["LastEvaluatedKey"])
    dynamodb.delete_item(TableName=name, Key={"pk": {"S": TILL}, "sk": {"S": late}})
    assert [item["sk"]["S"] for item in second["Items"]] == [late, *KEYS[10:19]]
