"""What a certificate's IoT policies allow, outside MQTT, and which thing it stands for."""

from __future__ import annotations

from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate
from ministack.services import iot

from twin.cloud.context import Document, scope
from twin.cloud.settings import Settings

EXCLUSIVE = "EXCLUSIVE_THING"
EXCLUSIVE_KEY = "twinExclusiveThing"


class Certificates:
    """The device certificates of the account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def active(self, certificate_id: str) -> bool:
        return (self._record(certificate_id) or {}).get("status") == "ACTIVE"

    def attached(self, certificate_id: str, thing: str) -> bool:
        """Whether the thing exists and this certificate is attached to it."""
        record = self._record(certificate_id) or {}
        with scope(self._settings):
            return thing in iot._things and iot._thing_arn(thing) in record.get("attachedThings", [])

    def allows(
        self, certificate_id: str, action: str, resource: str, variables: Document | None = None
    ) -> bool:
        """Evaluate the attached policies' default versions; `resource` is a whole ARN."""
        context = variables or {}
        with scope(self._settings):
            record = iot._certificates.get(certificate_id) or {}
            policies = [iot._policies.get(name) for name in record.get("attachedPolicies", [])]
        documents = [each["versions"][each["defaultVersionId"]]["document"] for each in policies if each]
        request = EvalContext(
            principal_arn=record.get("certificateArn", ""),
            principal_type="Certificate",
            principal_account=self._settings.account,
            action=action,
            resource_arn=resource,
            region=self._settings.region,
            service_context=context,
        )
        statements = [iot._parsed_iot_policy(each, tuple(sorted(context.items()))) for each in documents]
        return bool(evaluate(request, statements).decision == "Allow")

    def _record(self, certificate_id: str) -> Document | None:
        with scope(self._settings):
            found: Document | None = iot._certificates.get(certificate_id)
        return found


def install_connection_variables() -> None:
    """An exclusive thing names the connection, whatever its client id (a core's second is name#2)."""
    context_of = iot._mqtt_policy_context

    def context(account: str, region: str, certificate_id: str, client_id: str) -> dict[str, Any]:
        found: dict[str, Any] = context_of(account, region, certificate_id, client_id)
        thing = (iot._certificates.get_scoped(account, region, certificate_id) or {}).get(EXCLUSIVE_KEY)
        if thing:
            found["iot:connection.thing.isattached"] = "true"
            found["iot:connection.thing.thingname"] = thing
        return found

    iot._mqtt_policy_context = context
