"""CloudFormation types that the emulator lacks, and deletions and properties that it takes too lightly."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from ministack.services import cloudformation, dynamodb, iam, s3
from ministack.services.cloudformation import handlers, provisioners, stacks

from twin.cloud.context import ApiError, Document, raise_for
from twin.cloud.greengrass.service import Greengrass
from twin.cloud.iot.role_alias import RoleAliases

Created = tuple[str, Document]
HANDLERS: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
# Keys below these names are the template author's own, not properties of the type.
FREE_KEYS = {"Components", "Tags"}


def install(role_aliases: RoleAliases, greengrass: Greengrass) -> None:
    HANDLERS["AWS::IoT::RoleAlias"] = _role_alias(role_aliases)
    HANDLERS["AWS::GreengrassV2::ComponentVersion"] = _component_version(greengrass)
    HANDLERS["AWS::GreengrassV2::Deployment"] = _deployment(greengrass)
    _keep_what_is_in_use()
    _keep_what_a_failed_deletion_needs()
    _apply_bucket_properties()
    _apply_table_properties()


def _role_alias(aliases: RoleAliases) -> dict[str, Callable[..., Any]]:
    def payload(props: Document) -> Document:
        found = {"roleArn": props.get("RoleArn"), "tags": props.get("Tags")}
        if "CredentialDurationSeconds" in props:
            found["credentialDurationSeconds"] = props["CredentialDurationSeconds"]
        return found

    def name_of(logical_id: str, props: Document, stack: str) -> str:
        return str(props.get("RoleAlias") or provisioners._physical_name(stack, logical_id))

    def create(logical_id: str, props: Document, stack: str) -> Created:
        name = name_of(logical_id, props, stack)
        aliases.create(name, payload(props))
        return name, {"RoleAliasArn": aliases.arn(name)}

    def update(physical_id: str, old: Document, new: Document, stack: str) -> Created:
        if new.get("RoleAlias", physical_id) != physical_id:
            made = create("", new, stack)
            provisioners._delete_predecessor(delete, physical_id, old)
            return made
        aliases.update(physical_id, payload(new))
        return physical_id, {"RoleAliasArn": aliases.arn(physical_id)}

    def delete(physical_id: str, _props: Document) -> None:
        with _gone_is_deleted():
            aliases.delete(physical_id)

    return {"create": create, "update": update, "delete": delete}


def _component_version(greengrass: Greengrass) -> dict[str, Callable[..., Any]]:
    def create(_logical_id: str, props: Document, _stack: str) -> Created:
        if "InlineRecipe" not in props:
            raise ValueError("AWS::GreengrassV2::ComponentVersion needs an InlineRecipe here.")
        recipe = base64.b64encode(props["InlineRecipe"].encode()).decode()
        made = greengrass.CreateComponentVersion({"inlineRecipe": recipe, "tags": props.get("Tags")})
        names = {"ComponentName": made["componentName"], "ComponentVersion": made["componentVersion"]}
        return made["arn"], {"Arn": made["arn"], **names}

    def update(physical_id: str, old: Document, new: Document, stack: str) -> Created:
        made = create("", new, stack)
        provisioners._delete_predecessor(delete, physical_id, old)
        return made

    def delete(physical_id: str, _props: Document) -> None:
        with _gone_is_deleted():
            greengrass.DeleteComponent({"arn": physical_id})

    return {"create": create, "update": update, "delete": delete}


def _deployment(greengrass: Greengrass) -> dict[str, Callable[..., Any]]:
    def create(_logical_id: str, props: Document, _stack: str) -> Created:
        made = greengrass.CreateDeployment(_api_names(props))
        return made["deploymentId"], {"DeploymentId": made["deploymentId"]}

    def update(physical_id: str, old: Document, new: Document, stack: str) -> Created:
        made = create("", new, stack)
        provisioners._delete_predecessor(delete, physical_id, old)
        return made

    def delete(physical_id: str, _props: Document) -> None:
        wanted = {"deploymentId": physical_id}
        with _gone_is_deleted():
            if greengrass.GetDeployment(wanted)["deploymentStatus"] == "ACTIVE":
                greengrass.CancelDeployment(wanted)
            greengrass.DeleteDeployment(wanted)

    return {"create": create, "update": update, "delete": delete}


@contextmanager
def _gone_is_deleted() -> Iterator[None]:
    """CloudFormation takes "not found" from a deletion as done."""
    try:
        yield
    except ApiError as error:
        if error.status != 404:
            raise


def _keep_what_is_in_use() -> None:
    """A deletion that AWS refuses is refused: a bucket with objects, a policy or role still in use."""

    def delete_bucket(physical_id: str, _props: Document) -> None:
        status, _headers, body = s3._delete_bucket(physical_id)
        if status >= 400 and status != 404:
            reason = body if isinstance(body, str) else body.decode(errors="replace")
            raise ValueError(f"AWS::S3::Bucket {physical_id} cannot be deleted: {reason}")

    delete_policy = HANDLERS["AWS::IAM::ManagedPolicy"]["delete"]

    def delete_managed_policy(physical_id: str, props: Document) -> None:
        named = len([name for kind in ("Roles", "Users", "Groups") for name in props.get(kind) or []])
        record = iam._policies.get(physical_id) or {}
        if int(record.get("AttachmentCount", 0)) > named:
            raise ValueError(f"Cannot delete a policy attached to entities: {physical_id}")
        delete_policy(physical_id, props)

    delete_role = HANDLERS["AWS::IAM::Role"]["delete"]

    def delete_unused_role(physical_id: str, props: Document) -> None:
        role = iam._roles.get(physical_id) or {}
        own = {each.get("PolicyName") for each in props.get("Policies") or []}
        if set(role.get("AttachedPolicies") or []) - set(props.get("ManagedPolicyArns") or []):
            raise ValueError(f"Cannot delete entity, must detach all policies first: {physical_id}")
        if set(role.get("InlinePolicies") or {}) - own:
            raise ValueError(f"Cannot delete entity, must delete policies first: {physical_id}")
        delete_role(physical_id, props)

    HANDLERS["AWS::S3::Bucket"]["delete"] = delete_bucket
    HANDLERS["AWS::IAM::ManagedPolicy"]["delete"] = delete_managed_policy
    HANDLERS["AWS::IAM::Role"]["delete"] = delete_unused_role


class _Guarded(dict[str, Any]):
    """A stack's resources while it is deleted: the ones in `kept` can't be found, so they stay."""

    kept: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        return default if key in self.kept else super().get(key, default)


def _keep_what_a_failed_deletion_needs() -> None:
    """What a resource depends on isn't deleted when its own deletion failed, so that it can be tried again.

    The emulator would go on with the function behind a custom resource whose deletion that function refused.
    """
    delete_stack, delete_resource = stacks._delete_stack_async, stacks._delete_resource

    def delete_or_keep(rtype: str, pid: str, props: Document, stack_name: str, logical_id: str) -> Any:
        stack = cloudformation._stacks.get(stack_name) or {}
        resources = stack.get("_resources")
        try:
            return delete_resource(rtype, pid, props, stack_name, logical_id)
        except Exception:
            if isinstance(resources, _Guarded):
                definitions = (stack.get("_template") or {}).get("Resources") or {}
                needed = stacks._with_dependencies([logical_id], definitions, set(resources))
                resources.kept |= needed - {logical_id}
            raise

    async def delete_in_order(
        stack_name: str, stack_id: str, retain_resources: Any = (), force: bool = False
    ) -> None:
        stack = cloudformation._stacks.get(stack_name)
        if stack and not force:
            stack["_resources"] = _Guarded(stack.get("_resources") or {})
            stack["_resources"].kept = set()
        await delete_stack(stack_name, stack_id, retain_resources, force)
        if stack and not force:
            stack["_resources"] = dict(stack["_resources"])

    stacks._delete_resource = delete_or_keep
    stacks._delete_stack_async = handlers._delete_stack_async = delete_in_order


def _apply_bucket_properties() -> None:
    """Tags, encryption and lifecycle of a bucket, which the emulator's CloudFormation drops."""
    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("Tags", _tagging_xml, s3._put_bucket_tagging, s3._delete_bucket_tagging),
        ("BucketEncryption", _encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        ("LifecycleConfiguration", _lifecycle_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
    )


def _apply_table_properties() -> None:
    """Time to live and point-in-time recovery of a table, which the emulator's CloudFormation drops."""
    handlers = HANDLERS["AWS::DynamoDB::Table"]
    create, update = handlers["create"], handlers["update"]

    def apply(name: str, props: Document) -> None:
        if props.get("TimeToLiveSpecification"):
            spec = props["TimeToLiveSpecification"]
            raise_for(dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": spec}))
        if props.get("PointInTimeRecoverySpecification"):
            spec = props["PointInTimeRecoverySpecification"]
            raise_for(
                dynamodb._update_continuous_backups(
                    {"TableName": name, "PointInTimeRecoverySpecification": spec}
                )
            )

    def create_with_properties(logical_id: str, props: Document, stack: str) -> Created:
        made: Created = create(logical_id, props, stack)
        apply(made[0], props)
        return made

    def update_with_properties(*args: Any, **kwargs: Any) -> Created:
        made: Created = update(*args, **kwargs)
        apply(made[0], args[2])
        return made

    handlers["create"] = create_with_properties
    handlers["update"] = update_with_properties


def _tagging_xml(tags: list[Document]) -> bytes:
    root = Element("Tagging")
    tag_set = SubElement(root, "TagSet")
    for tag in tags:
        _children(SubElement(tag_set, "Tag"), {"Key": tag["Key"], "Value": tag["Value"]})
    return tostring(root)


def _encryption_xml(props: Document) -> bytes:
    root = Element("ServerSideEncryptionConfiguration")
    for rule in props.get("ServerSideEncryptionConfiguration") or []:
        node = SubElement(root, "Rule")
        default = rule.get("ServerSideEncryptionByDefault") or {}
        _children(SubElement(node, "ApplyServerSideEncryptionByDefault"), default)
        if "BucketKeyEnabled" in rule:
            _children(node, {"BucketKeyEnabled": rule["BucketKeyEnabled"]})
    return tostring(root)


def _lifecycle_xml(props: Document) -> bytes:
    root = Element("LifecycleConfiguration")
    for rule in props.get("Rules") or []:
        node = SubElement(root, "Rule")
        _children(node, {"ID": rule.get("Id", "rule"), "Status": rule["Status"]})
        _children(SubElement(node, "Filter"), {"Prefix": rule.get("Prefix", "")})
        if "ExpirationInDays" in rule:
            _children(SubElement(node, "Expiration"), {"Days": rule["ExpirationInDays"]})
        for transition in rule.get("Transitions") or []:
            _children(
                SubElement(node, "Transition"),
                {"Days": transition.get("TransitionInDays"), "StorageClass": transition["StorageClass"]},
            )
        old = rule.get("NoncurrentVersionExpiration") or {}
        if old:
            _children(SubElement(node, "NoncurrentVersionExpiration"), old)
        aborted = rule.get("AbortIncompleteMultipartUpload") or {}
        if aborted:
            _children(SubElement(node, "AbortIncompleteMultipartUpload"), aborted)
    return tostring(root)


def _children(node: Element, values: Document) -> None:
    for name, value in values.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        SubElement(node, name).text = text


def _api_names(value: Any) -> Any:
    """CloudFormation's ComponentVersion is the API's componentVersion, but for the author's own keys."""
    if isinstance(value, list):
        return [_api_names(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        if name in FREE_KEYS and isinstance(inner, dict):
            found[name[0].lower() + name[1:]] = {key: _api_names(each) for key, each in inner.items()}
        else:
            found[name[0].lower() + name[1:]] = _api_names(inner)
    return found
