"""IAM as far as a till's rights need it and the emulator lacks it.

Policy variables in Resource and Condition, dynamodb:LeadingKeys, and the actions and resources of calls
that the emulator does not know. What it does not check is in README.md.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions, iam_evaluator, router
from ministack.services import dynamodb, sts

from twin.cloud.context import ApiError, Document
from twin.cloud.greengrass.components import parse_recipe
from twin.cloud.settings import Settings

VARIABLE = re.compile(r"\$\{([^}]+)\}")
LITERALS = {"*": "*", "?": "?", "$": "$"}
EQUALS = re.compile(r"(#?[\w.-]+)\s*=\s*(:[\w.-]+)")
UNKNOWN_KEY = "\0unknown"  # a leading key that cannot be told matches no policy
IOT_SESSION = "TwinIotVariables"
ITEM_REQUESTS = ("PutRequest", "DeleteRequest")
TRANSACT_MEMBERS = ("Put", "Update", "Delete", "ConditionCheck", "Get")


class UnresolvedError(Exception):
    """A policy variable has no value in this request, so its statement does not apply."""


def install(settings: Settings) -> None:
    router.SERVICE_PATTERNS["greengrass"] = {}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["greengrass"] = "greengrass"
    iam_actions._BOTOCORE_SERVICE_MAP["greengrass"] = ["greengrassv2"]
    iam_evaluator._first_match = _first_match
    _add_resource_arns(settings)
    _add_leading_keys()
    _add_session_keys()


def _first_match(ctx: Any, statements: list[Any], effect: str) -> Any:
    for statement in statements:
        if statement.effect != effect:
            continue
        if not iam_evaluator._action_matches(ctx.action, statement.actions, statement.not_actions):
            continue
        try:
            resources = [substitute(each, ctx) for each in statement.resources]
            excluded = [substitute(each, ctx) for each in statement.not_resources]
            conditions = _substitute_conditions(statement.conditions, ctx)
        except UnresolvedError:
            continue
        if iam_evaluator._resource_matches(ctx.resource_arn, resources, excluded) and (
            iam_evaluator._conditions_met(conditions, ctx)
        ):
            return statement
    return None


def substitute(text: str, ctx: Any) -> str:
    """Put the request's values in place of ${variables}. UnresolvedError when one has none."""

    def value(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(",")
        if name in LITERALS:
            return LITERALS[name]
        found = iam_evaluator._resolve_condition_key(name.strip(), ctx)
        if found is None and default:
            found = default.strip().strip("'")
        if found is None or isinstance(found, list):
            raise UnresolvedError(name)
        return str(found)

    return VARIABLE.sub(value, text)


def _substitute_conditions(conditions: Document, ctx: Any) -> Document:
    return {
        operator: {
            key: [substitute(str(each), ctx) for each in _as_list(values)] for key, values in block.items()
        }
        for operator, block in (conditions or {}).items()
        if isinstance(block, dict)
    }


def _as_list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _add_session_keys() -> None:
    """The keys that AWS IoT's credentials endpoint puts into its sessions."""
    keys_of = iam_evaluator._principal_keys

    def principal_keys(credential: Any) -> Document:
        keys: Document = keys_of(credential)
        session = sts._sessions.get(credential.access_key_id) or {}
        keys.update(session.get(IOT_SESSION) or {})
        return keys

    iam_evaluator._principal_keys = principal_keys


def _add_resource_arns(settings: Settings) -> None:
    arn_of = iam_actions.extract_resource_arn

    def extract(service: str, method: str, path: str, *rest: Any) -> str:
        if service == "greengrass":
            return _greengrass_arn(settings, path, body=rest[1])
        if service == "iot" and path.startswith("/role-aliases/"):
            name = unquote(path.removeprefix("/role-aliases/"))
            return f"arn:aws:iot:{settings.region}:{settings.account}:rolealias/{name}"
        if service == "iot" and path.startswith("/target-policies/"):
            return _policy_target(body=rest[1])
        found: str = arn_of(service, method, path, *rest)
        return found

    iam_actions.extract_resource_arn = extract


def _greengrass_arn(settings: Settings, path: str, body: bytes) -> str:
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "tags":
        return "/".join(parts[1:])
    if parts[-1] == "createComponentVersion":
        return f"arn:aws:greengrass:{settings.region}:{settings.account}:components:{_recipe_name(body)}"
    if len(parts) > 3 and parts[:2] == ["greengrass", "v2"]:
        if parts[2] == "components":
            return parts[3]
        if parts[2] in {"deployments", "coreDevices"}:
            return f"arn:aws:greengrass:{settings.region}:{settings.account}:{parts[2]}:{parts[3]}"
    return "*"


def _policy_target(body: bytes) -> str:
    """What a policy is attached to or detached from, which is what AWS checks, not the policy."""
    try:
        return str(json.loads(body)["target"])
    except (ValueError, KeyError, TypeError):
        return "*"


def _recipe_name(body: bytes) -> str:
    """The name in the recipe that is to be made a component; * when there is none to be read."""
    try:
        return str(parse_recipe(base64.b64decode(json.loads(body)["inlineRecipe"]))["ComponentName"])
    except (ApiError, ValueError, KeyError, TypeError):
        return "*"


def _add_leading_keys() -> None:
    context_of = iam_actions.dynamodb_service_context

    def context(body: bytes) -> Document:
        found: Document = context_of(body)
        keys = leading_keys(body)
        return {**found, "dynamodb:LeadingKeys": keys} if keys else found

    iam_actions.dynamodb_service_context = context


def leading_keys(body: bytes) -> list[str]:
    """The partition keys that a DynamoDB request reads or writes; empty where it names none (Scan)."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return []
    if not isinstance(request, dict):
        return []
    table = str(request.get("TableName", ""))
    for member in ("Item", "Key"):
        if isinstance(request.get(member), dict):
            return [_value(request[member], _partition_key(table))]
    if "KeyConditionExpression" in request or "KeyConditions" in request:
        return [_queried(request, _partition_key(table, request.get("IndexName")))]
    return _batch_keys(request) + _transaction_keys(request)


def _batch_keys(request: Document) -> list[str]:
    keys: list[str] = []
    for table, wanted in (request.get("RequestItems") or {}).items():
        name = _partition_key(table)
        if isinstance(wanted, dict):
            keys += [_value(each, name) for each in wanted.get("Keys") or []]
            continue
        for entry in wanted:
            for kind in ITEM_REQUESTS:
                if kind in entry:
                    keys.append(_value(entry[kind].get("Item") or entry[kind].get("Key") or {}, name))
    return keys


def _transaction_keys(request: Document) -> list[str]:
    keys: list[str] = []
    for entry in request.get("TransactItems") or []:
        for kind in TRANSACT_MEMBERS:
            if kind in entry:
                detail = entry[kind]
                item = detail.get("Item") or detail.get("Key") or {}
                keys.append(_value(item, _partition_key(str(detail.get("TableName", "")))))
    return keys


def _partition_key(table: str, index: str | None = None) -> str | None:
    record = dynamodb._tables.get(table.rpartition("/")[2] if table.startswith("arn:") else table)
    if not record:
        return None
    schema = record["KeySchema"]
    if index:
        indexes = (record.get("GlobalSecondaryIndexes") or []) + (record.get("LocalSecondaryIndexes") or [])
        schema = next((each["KeySchema"] for each in indexes if each["IndexName"] == index), [])
    return next((each["AttributeName"] for each in schema if each["KeyType"] == "HASH"), None)


def _value(item: Document, name: str | None) -> str:
    typed = item.get(name) if name else None
    if not isinstance(typed, dict) or len(typed) != 1:
        return UNKNOWN_KEY
    kind, value = next(iter(typed.items()))
    return str(value) if kind in {"S", "N", "B"} else UNKNOWN_KEY


def _queried(request: Document, name: str | None) -> str:
    conditions = request.get("KeyConditions")
    if isinstance(conditions, dict):
        wanted = conditions.get(name or "", {}).get("AttributeValueList") or [{}]
        return _value({"key": wanted[0]}, "key")
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    for attribute, placeholder in EQUALS.findall(str(request.get("KeyConditionExpression", ""))):
        if names.get(attribute, attribute) == name:
            return _value({"key": values.get(placeholder, {})}, "key")
    return UNKNOWN_KEY
