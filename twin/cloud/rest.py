"""Requests of an AWS REST-JSON service, told apart with the service's own model from botocore."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from twin.cloud.context import ApiError, Document


@dataclass(frozen=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    operation: OperationModel


class Router:
    """`match` gives an operation's name and its input members from path, query and body."""

    def __init__(self, service: str) -> None:
        model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
        self._routes = [_route(model.operation_model(name)) for name in model.operation_names]
        # A fixed segment wins over a label: /components/{arn}/metadata before /components/{arn}.
        self._routes.sort(key=lambda route: (len(route.labels), -len(route.pattern.pattern)))

    def match(self, method: str, path: str, query: dict[str, Any], body: bytes) -> tuple[str, Document]:
        """ApiError when no operation has this method and path, or the body is no JSON object."""
        for route in self._routes:
            found = route.pattern.fullmatch(path) if route.method == method else None
            if found:
                members = dict(zip(route.labels, map(unquote, found.groups()), strict=True))
                members.update(_query_members(route.operation, query))
                members.update(_body_members(body))
                return route.operation.name, members
        raise ApiError("UnknownOperationException", f"No operation {method} {path}.", 404)


def _route(operation: OperationModel) -> _Route:
    uri = operation.http["requestUri"].split("?")[0].rstrip("/")
    labels = tuple(re.findall(r"{([^}+]+)\+?}", uri))
    pattern = re.sub(r"\\{[^}+]+\\}", "([^/]+)", re.sub(r"\\{[^}]+\\\+\\}", "(.+)", re.escape(uri)))
    named = {
        shape.serialization.get("name", member): member
        for member, shape in (operation.input_shape.members if operation.input_shape else {}).items()
    }
    return _Route(
        operation.http["method"],
        re.compile(pattern + "/?"),
        tuple(named.get(x, x) for x in labels),
        operation,
    )


def _query_members(operation: OperationModel, query: dict[str, Any]) -> Document:
    members: Document = {}
    for member, shape in (operation.input_shape.members if operation.input_shape else {}).items():
        name = shape.serialization.get("name", member)
        if shape.serialization.get("location") == "querystring" and name in query:
            values = query[name] if isinstance(query[name], list) else [query[name]]
            members[member] = values if shape.type_name == "list" else values[0]
    return members


def _body_members(body: bytes) -> Document:
    if not body:
        return {}
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ApiError("ValidationException", "The request body is not JSON.") from error
    if not isinstance(document, dict):
        raise ApiError("ValidationException", "The request body is not a JSON object.")
    return document
