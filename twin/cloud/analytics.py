"""AWS::Athena::NamedQuery, a CloudFormation type that the emulator lacks."""

from __future__ import annotations

from ministack.services import athena
from ministack.services.cloudformation import provisioners

from twin.cloud.context import Document, raise_for

PROPERTIES = ("Name", "Description", "Database", "QueryString", "WorkGroup")


def install() -> None:
    provisioners._RESOURCE_HANDLERS["AWS::Athena::NamedQuery"] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
    }


def _create(_logical_id: str, props: Document, _stack: str) -> tuple[str, Document]:
    query = {name: props[name] for name in PROPERTIES if name in props}
    made = raise_for(athena._create_named_query(query))["NamedQueryId"]
    return made, {"NamedQueryId": made}


def _update(physical_id: str, old: Document, new: Document, stack: str) -> tuple[str, Document]:
    """Every property is create-only, so a change is a replacement."""
    made = _create("", new, stack)
    provisioners._delete_predecessor(_delete, physical_id, old)
    return made


def _delete(physical_id: str, _props: Document) -> None:
    raise_for(athena._delete_named_query({"NamedQueryId": physical_id}))
