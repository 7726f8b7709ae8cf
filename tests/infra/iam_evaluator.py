"""Evaluates IAM and IoT policy statements as a till would meet them: deny beats allow, nothing is implied."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Statement = Mapping[str, Any]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def plain(value: Any) -> Any:
    """Template values with the account put in, as CloudFormation would."""
    if isinstance(value, dict):
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return separator.join(plain(part) for part in parts)
        if value.get("Ref") == "AWS::AccountId":
            return "123456789012"
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def matches(pattern: str, value: str) -> bool:
    """IAM's wildcards: * is any run of characters, / too; ? is one character."""
    return bool(
        re.fullmatch("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern), value)
    )


class Principal:
    """Someone with `statements`, whose policy variables have these values."""

    def __init__(self, statements: Sequence[Statement], variables: Mapping[str, str]) -> None:
        self._statements = statements
        self._variables = variables

    def may(self, action: str, resource: str, **context: list[str]) -> bool:
        effects = [one["Effect"] for one in self._statements if self._applies(one, action, resource, context)]
        return "Allow" in effects and "Deny" not in effects

    def _applies(
        self, statement: Statement, action: str, resource: str, context: Mapping[str, list[str]]
    ) -> bool:
        return (
            any(matches(one, action) for one in as_list(statement["Action"]))
            and any(matches(self._filled(one), resource) for one in as_list(statement["Resource"]))
            and all(
                self._holds(operator, key, as_list(wanted), context)
                for operator, keys in statement.get("Condition", {}).items()
                for key, wanted in keys.items()
            )
        )

    def _holds(self, operator: str, key: str, wanted: list[str], context: Mapping[str, list[str]]) -> bool:
        values = context.get(key.partition(":")[2], [])
        patterns = [self._filled(one) for one in wanted]
        if operator == "ForAllValues:StringEquals":
            return all(value in patterns for value in values)
        assert operator == "StringLike", operator
        return bool(values) and all(any(matches(one, value) for one in patterns) for value in values)

    def _filled(self, text: str) -> str:
        for name, value in self._variables.items():
            text = text.replace(f"${{{name}}}", value)
        return text
