"""The emulator's internals that the twin leans on: checked at start, so that a moved one fails loudly."""

from __future__ import annotations

import importlib
import importlib.metadata

VERSION = "1.5.33"
INTERNALS = {
    "ministack.app": (
        "SERVICE_HANDLERS",
        "_MAIN_LOOP",
        "_port_is_bindable",
        "app",
        "main",
    ),
    "ministack.core.iam_actions": (
        "SERVICE_TO_IAM_NAMESPACE",
        "_BOTOCORE_SERVICE_MAP",
        "dynamodb_service_context",
        "extract_resource_arn",
    ),
    "ministack.core.iam_evaluator": (
        "_action_matches",
        "_conditions_met",
        "_first_match",
        "_principal_keys",
        "_resolve_condition_key",
        "_resource_matches",
        "_service_principal_matches",
    ),
    "ministack.core.responses": ("request_scope",),
    "ministack.core.router": ("SERVICE_PATTERNS",),
    "ministack.services.athena": (
        "_create_named_query",
        "_delete_named_query",
    ),
    "ministack.services.cloudformation": ("_stacks",),
    "ministack.services.cloudformation.handlers": ("_delete_stack_async",),
    "ministack.services.cloudformation.provisioners": (
        "_RESOURCE_HANDLERS",
        "_S3_BUCKET_CONFIGURATIONS",
        "_delete_predecessor",
        "_physical_name",
    ),
    "ministack.services.cloudformation.stacks": (
        "_delete_resource",
        "_delete_stack_async",
        "_with_dependencies",
    ),
    "ministack.services.cloudwatch": (
        "_evaluate_all_alarms",
        "_store_datum",
    ),
    "ministack.services.cloudwatch_logs": (
        "_fanout_to_subscription_filters",
        "_metric_filters",
    ),
    "ministack.services.dynamodb": (
        "_extract_pk_from_condition",
        "_get_attr_type",
        "_lock",
        "_normalize_table_name",
        "_query",
        "_tables",
        "_update_continuous_backups",
        "_update_ttl",
    ),
    "ministack.services.iam": (
        "_policies",
        "_roles",
    ),
    "ministack.services.iot": (
        "_IMPLEMENTED_SQL_FUNCS",
        "_MISSING",
        "PKT_CONNECT",
        "_MtlsAcceptor",
        "_OWNERSHIP_TOKEN_SECONDS",
        "_WSSession",
        "_apply_provisioning_plan",
        "_broker_logger",
        "_ca_cert_pem",
        "_ca_key_pem",
        "_cancel_job",
        "_certificates",
        "_create_certificate_from_csr",
        "_create_job",
        "_delete_job",
        "_describe_endpoint",
        "_dispatch_rule_to_lambda",
        "_eval_select_expr",
        "_eval_select_function",
        "_fleet_provisioning_reply",
        "_fleet_rejected",
        "_handle_certificate",
        "_handle_thing_principals",
        "_job_executions",
        "_jobs",
        "_jobs_error_tuple_to_rejected",
        "_jobs_job_document_object",
        "_jobs_mqtt_execution",
        "_jobs_mqtt_head",
        "_jobs_mqtt_json",
        "_jobs_rejected",
        "_mqtt_policy_context",
        "_mtls_build_ssl_context",
        "_mtls_ensure_server_cert",
        "_mtls_loop",
        "_mtls_server",
        "_mtls_start_locked",
        "_ownership_tokens",
        "_parse_fleet_provisioning_topic",
        "_parsed_iot_policy",
        "_policies",
        "_provisioning_failed",
        "_provisioning_plan",
        "_provisioning_template_body",
        "_subscription_matches",
        "_tags",
        "_thing_arn",
        "_thing_group_arn",
        "_thing_groups",
        "_things",
        "broker_publish",
        "error_response_json",
        "jobs_abort_if_met",
        "jobs_describe_execution",
        "jobs_execution_state",
        "jobs_execution_summary",
        "jobs_first_pending_job_id",
        "jobs_notify_thing",
        "jobs_pending_for_thing",
        "jobs_update_execution",
        "mtls_is_listening",
        "mtls_start",
        "publishing_events",
        "request_scope",
    ),
    "ministack.services.lambda_svc": (
        "_execution_record_for_config",
        "_get_func_record_for_ref_in_scope",
        "invoke_async_with_retry",
    ),
    "ministack.services.s3": (
        "_delete_bucket",
        "_delete_bucket_encryption",
        "_delete_bucket_lifecycle",
        "_delete_bucket_tagging",
        "_get_object_data",
        "_put_bucket_encryption",
        "_put_bucket_lifecycle",
        "_put_bucket_tagging",
        "_resolve_sse_write_headers",
    ),
    "ministack.services.sts": (
        "_sessions",
        "register_session",
    ),
}


class PinError(Exception):
    """The emulator is another one than the twin was built for."""


def check() -> None:
    """Raise PinError naming what moved."""
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise PinError(f"The twin's cloud is built for ministack {VERSION}, but {found} is installed.")
    missing = [
        f"{module}.{name}"
        for module, names in INTERNALS.items()
        for name in names
        if not hasattr(importlib.import_module(module), name)
    ]
    if missing:
        raise PinError(f"ministack {found} has no {', '.join(missing)}.")
