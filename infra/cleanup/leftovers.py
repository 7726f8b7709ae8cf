"""What carries a fleet's name in an account: everything after a deploy, nothing after a destroy.

It asks the services, not the stacks, so it also finds what no stack owns. Needs read rights only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra.cleanup.sweep import greengrass
from infra.names import Names

GONE = frozenset(
    {
        "EntityNotFoundException",
        "InvalidRequestException",
        "NoSuchBucket",
        "NoSuchEntity",
        "ResourceNotFoundException",
    }
)


@dataclass(frozen=True)
class Leftover:
    """One resource: which service, what kind, and its name or id there."""

    service: str
    kind: str
    name: str


Look = Callable[[Any, Names], Iterator[Leftover]]


def leftovers(session: Any, names: Names) -> list[Leftover]:
    """Everything of the fleet that `session` (a boto3 session) can see, by service, kind and name."""
    looks: tuple[Look, ...] = (
        _stacks,
        _buckets,
        _tables,
        _things,
        _certificates,
        _iot_names,
        _provisioning_templates,
        _roles,
        _functions,
        _log_groups,
        _schedules,
        _alarms,
        _greengrass,
        _glue,
        _athena,
    )
    found = {one for look in looks for one in look(session, names)}
    return sorted(found, key=lambda one: (one.service, one.kind, one.name))


def _pages(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Every item of a listing; a listing of something that is gone is empty."""
    try:
        for page in client.get_paginator(operation).paginate(**parameters):
            yield from page.get(key, [])
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def _stacks(session: Any, names: Names) -> Iterator[Leftover]:
    for stack in _pages(session.client("cloudformation"), "describe_stacks", "Stacks"):
        if stack["StackName"].startswith(names.stack_prefix) and stack["StackStatus"] != "DELETE_COMPLETE":
            yield Leftover("cloudformation", "stack", stack["StackName"])


def _buckets(session: Any, names: Names) -> Iterator[Leftover]:
    for bucket in session.client("s3").list_buckets()["Buckets"]:
        if bucket["Name"] in (names.sales_bucket, names.artifact_bucket):
            yield Leftover("s3", "bucket", bucket["Name"])


def _tables(session: Any, names: Names) -> Iterator[Leftover]:
    for table in _pages(session.client("dynamodb"), "list_tables", "TableNames"):
        if table.startswith(names.prefix):
            yield Leftover("dynamodb", "table", table)


def _things(session: Any, names: Names) -> Iterator[Leftover]:
    for thing in _pages(session.client("iot"), "list_things", "things"):
        if thing["thingName"].startswith(names.prefix):
            yield Leftover("iot", "thing", thing["thingName"])


def _certificates(session: Any, names: Names) -> Iterator[Leftover]:
    """Certificates that are tied to the fleet: by one of its policies, or by a thing of it."""
    iot = session.client("iot")
    for certificate in _pages(iot, "list_certificates", "certificates"):
        arn = certificate["certificateArn"]
        policies = (
            one["policyName"] for one in _pages(iot, "list_attached_policies", "policies", target=arn)
        )
        things = _pages(iot, "list_principal_things", "things", principal=arn)
        if any(name.startswith(names.prefix) for name in (*policies, *things)):
            yield Leftover("iot", "certificate", certificate["certificateId"])


def _iot_names(session: Any, names: Names) -> Iterator[Leftover]:
    iot = session.client("iot")
    for operation, items, kind, name in (
        ("list_policies", "policies", "policy", "policyName"),
        ("list_thing_groups", "thingGroups", "thing group", "groupName"),
        ("list_thing_types", "thingTypes", "thing type", "thingTypeName"),
    ):
        for one in _pages(iot, operation, items):
            if one[name].startswith(names.prefix):
                yield Leftover("iot", kind, one[name])
    for alias in _pages(iot, "list_role_aliases", "roleAliases"):
        if alias.startswith(names.prefix):
            yield Leftover("iot", "role alias", alias)
    for rule in _pages(iot, "list_topic_rules", "rules"):
        if rule["ruleName"].startswith(names.rule("")):
            yield Leftover("iot", "topic rule", rule["ruleName"])


def _provisioning_templates(session: Any, names: Names) -> Iterator[Leftover]:
    for template in _pages(session.client("iot"), "list_provisioning_templates", "templates"):
        if template["templateName"].startswith(names.prefix):
            yield Leftover("iot", "provisioning template", template["templateName"])


def _roles(session: Any, names: Names) -> Iterator[Leftover]:
    for role in _pages(session.client("iam"), "list_roles", "Roles"):
        if role["RoleName"].startswith((names.prefix, names.stack_prefix)):
            yield Leftover("iam", "role", role["RoleName"])


def _functions(session: Any, names: Names) -> Iterator[Leftover]:
    for function in _pages(session.client("lambda"), "list_functions", "Functions"):
        if function["FunctionName"].startswith((names.prefix, names.stack_prefix)):
            yield Leftover("lambda", "function", function["FunctionName"])


def _log_groups(session: Any, names: Names) -> Iterator[Leftover]:
    logs = session.client("logs")
    for prefix in (names.log_group(""), f"/aws/lambda/{names.stack_prefix}", f"/{names.fleet}/"):
        for group in _pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            yield Leftover("logs", "log group", group["logGroupName"])


def _schedules(session: Any, names: Names) -> Iterator[Leftover]:
    for rule in _pages(session.client("events"), "list_rules", "Rules", NamePrefix=names.prefix):
        yield Leftover("events", "rule", rule["Name"])


def _alarms(session: Any, names: Names) -> Iterator[Leftover]:
    client = session.client("cloudwatch")
    for alarm in _pages(client, "describe_alarms", "MetricAlarms", AlarmNamePrefix=names.prefix):
        yield Leftover("cloudwatch", "alarm", alarm["AlarmName"])


def _greengrass(session: Any, names: Names) -> Iterator[Leftover]:
    client = session.client("greengrassv2")
    for arn in greengrass.component_versions(client, names):
        yield Leftover("greengrass", "component version", arn.partition(":components:")[2])
    for deployment in greengrass.deployments(client, names):
        yield Leftover("greengrass", "deployment", deployment["deploymentId"])
    for thing in greengrass.core_devices(client, names):
        yield Leftover("greengrass", "core device", thing)


def _glue(session: Any, names: Names) -> Iterator[Leftover]:
    glue = session.client("glue")
    for database in _pages(glue, "get_databases", "DatabaseList"):
        if database["Name"] == names.database:
            yield Leftover("glue", "database", names.database)
    for table in _pages(glue, "get_tables", "TableList", DatabaseName=names.database):
        yield Leftover("glue", "table", f"{names.database}.{table['Name']}")


def _athena(session: Any, names: Names) -> Iterator[Leftover]:
    athena = session.client("athena")
    for group in _all_workgroups(athena):
        if group == names.workgroup:
            yield Leftover("athena", "workgroup", group)
            for query in _pages(athena, "list_named_queries", "NamedQueryIds", WorkGroup=group):
                yield Leftover("athena", "saved query", query)


def _all_workgroups(athena: Any) -> Iterator[str]:
    token: dict[str, str] = {}
    while True:
        page = athena.list_work_groups(**token)
        yield from (group["Name"] for group in page["WorkGroups"])
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
