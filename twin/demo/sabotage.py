"""Break it on purpose, behind everyone's back, after the tills have delivered: the demo must notice."""

import json
from collections.abc import Callable

from edge_components.edgekit import keys
from twin.demo.cloud import Account
from twin.demo.settings import Sabotage, Settings
from twin.demo.show import Say


def before_proof(account: Account, settings: Settings, say: Say) -> None:
    """Spoil what the cloud holds of the first till."""
    actions: dict[Sabotage, Callable[[Account, str], str]] = {
        "swallow-write": _swallow_write,
        "swap-byte": _swap_byte,
    }
    if settings.sabotage in actions:
        say("sabotage: " + actions[settings.sabotage](account, account.names.thing(settings.tills[0].serial)))


def before_destroy(account: Account, settings: Settings, say: Say) -> None:
    if settings.sabotage == "keep-bucket":
        say("sabotage: " + _keep_bucket(account))


def _swallow_write(account: Account, thing: str) -> str:
    """One acknowledged write that the table forgot."""
    table, dynamodb = account.names.sales_table, account.session().client("dynamodb")
    items = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :thing AND sk < :head",
        ExpressionAttributeValues={":thing": {"S": thing}, ":head": {"S": keys.HEAD}},
    )["Items"]
    item = items[len(items) // 2]
    dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
    return f"the table forgot {thing} {item['sk']['S']}"


def _swap_byte(account: Account, thing: str) -> str:
    """One bit of one byte in the middle of a segment."""
    bucket, s3 = account.names.sales_bucket, account.session().client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="sales/")
    key = next(
        item["Key"] for page in pages for item in page.get("Contents", []) if f"/till={thing}/" in item["Key"]
    )
    body = bytearray(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 0x01
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(body))
    return f"one bit of {key} is turned"


def _keep_bucket(account: Account) -> str:
    """The function that empties buckets before they go loses its right to, so the sales bucket stays."""
    iam = account.session().client("iam")
    role = account.names.function("emptier")
    denied = {"Effect": "Deny", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [denied]}
    iam.put_role_policy(RoleName=role, PolicyName="sabotage", PolicyDocument=json.dumps(document))
    return f"{role} may no longer delete objects"
