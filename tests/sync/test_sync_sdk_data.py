"""sync's botocore, which reads less of its own data, asks for the same and understands the same."""

import ast
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.session import Session

from edge_components.sync import sdk_data

ROOT = Path(__file__).resolve().parents[2]
REGIONS = ("eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "eu-south-2")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "BatchWriteItem": {"RequestItems": {"sales": [{"PutRequest": {"Item": {"pk": {"S": "till"}}}}]}},
    "GetItem": {"TableName": "sales", "Key": {"pk": {"S": "till"}}, "ConsistentRead": True},
    "PutItem": {"TableName": "sales", "Item": {"pk": {"S": "till"}, "seq": {"N": "1"}}},
    "Query": {"TableName": "sales", "KeyConditionExpression": "pk = :a", "Limit": 1},
    "UpdateItem": {"TableName": "sales", "Key": {"pk": {"S": "t"}}, "UpdateExpression": "SET a = :a"},
    "GetObject": {"Bucket": "sales", "Key": "a/b c.json", "IfNoneMatch": '"etag"'},
    "HeadBucket": {"Bucket": "sales"},
    "ListObjectsV2": {"Bucket": "sales", "Prefix": "a/", "MaxKeys": 5},
    "PutObject": {
        "Bucket": "sales",
        "Key": "a/b",
        "Body": b"x",
        "IfNoneMatch": "*",
        "ChecksumSHA256": "eA==",
    },
}
ANSWERS: dict[str, list[tuple[int, bytes]]] = {
    "dynamodb": [
        (
            400,
            b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}',
        ),
        (400, b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"old"}'),
        (200, b'{"Item":{"pk":{"S":"till"}},"UnprocessedItems":{"sales":[{"PutRequest":{"Item":{}}}]}}'),
    ],
    "s3": [
        (412, b"<Error><Code>PreconditionFailed</Code><Message>there</Message></Error>"),
        (404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"),
        (200, b"<ListBucketResult><Contents><Key>a</Key><Size>3</Size></Contents></ListBucketResult>"),
    ],
}
EVERY = [(service, name) for service, names in sdk_data.OPERATIONS.items() for name in names]


@pytest.fixture(autouse=True)
def signed_by_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "till")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "till")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def sessions() -> Iterator[Session]:
    """botocore's own, and sync's."""
    yield Session()
    small = Session()
    small.register_component("data_loader", sdk_data.loader())
    yield small


def asked(session: Session, service: str, operation: str, region: str, answer: tuple[int, bytes]) -> Any:
    """The request that leaves and what is made of the answer, without what the clock writes into both."""
    client = session.create_client(service, region_name=region)
    sent = []

    def instead(request: Any, **_: Any) -> AWSResponse:
        headers = {k: v for k, v in request.headers.items() if k not in VARYING}
        body = request.body.read() if hasattr(request.body, "read") else request.body
        sent.append((request.method, request.url, headers, body))
        return AWSResponse(request.url, answer[0], {}, Raw(answer[1]))

    client.meta.events.register("before-send", instead)
    try:
        found = getattr(client, xform_name(operation))(**ARGUMENTS[operation])
        if "Body" in found:
            found["Body"] = found["Body"].read()
    except client.exceptions.ClientError as error:
        found = type(error).__name__, error.response
    return sent, found


VARYING = {"Authorization", "X-Amz-Date", "amz-sdk-invocation-id"}


class Raw:
    """An answer's body as urllib3 gives it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content

    def read(self, *_: Any) -> bytes:
        content, self._content = self._content, b""
        return content


@pytest.mark.parametrize(("service", "operation"), EVERY)
def test_each_operation_asks_for_the_same_in_each_partition_and_understands_each_answer(
    service: str, operation: str
) -> None:
    cases = [(region, answer) for region in REGIONS for answer in ANSWERS[service]]
    whole, small = ([asked(one, service, operation, *case) for case in cases] for one in sessions())
    assert whole == small


def test_only_what_sync_calls_is_kept() -> None:
    called = set()
    for path in (ROOT / "edge_components" / "sync").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Attribute(attr="dynamodb" | "s3" as service), attr=name):
                    called.add((service, name))
    paginated = {("s3", "get_paginator"): ("s3", "list_objects_v2")}
    by_botocore = {("s3", "head_bucket")}  # when S3 sends it to another Region
    found = {paginated.get(call, call) for call in called} | by_botocore
    assert found == {(service, xform_name(name)) for service, name in EVERY}


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc", "signin"])
def test_an_engineer_s_profile_can_sign_in_as_with_all_of_the_data(service: str) -> None:
    whole, small = (one.create_client(service, region_name="eu-west-1") for one in sessions())
    assert dir(whole) == dir(small)
    assert whole.meta.endpoint_url == small.meta.endpoint_url


def test_data_that_is_not_there_is_told_as_botocore_tells_it() -> None:
    told = []
    for session in sessions():
        with pytest.raises(Exception, match="nonsense") as raised:
            session.create_client("nonsense", region_name="eu-west-1")
        told.append((type(raised.value), str(raised.value)))
    assert told[0] == told[1]


@pytest.mark.parametrize("left", [0, 40, -40])
@pytest.mark.parametrize("name", ["service-2.json.gz", "service-2.json"])
def test_data_that_a_card_has_cut_off_is_named_with_what_to_do(tmp_path: Path, name: str, left: int) -> None:
    content = b'{"operations": {"GetItem": {}}, "shapes": {}, "metadata": {"of": "a service"}}'
    folder = tmp_path / "dynamodb" / "2012-08-10"
    folder.mkdir(parents=True)
    whole = gzip.compress(content) if name.endswith(".gz") else content
    (folder / name).write_bytes(whole[:left])
    told = rf"{name} can't be read .*deploy another Runtime"
    with pytest.raises(sdk_data.DamagedDataError, match=told):
        sdk_data.loader().file_loader.load_file(str(folder / "service-2"))
