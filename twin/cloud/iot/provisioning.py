"""Fleet provisioning by claim, where the emulator's is short: a CSR, replies to clients that did not
subscribe, and certificates that belong to one thing only."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from ministack.services import iot

from twin.cloud.context import Document
from twin.cloud.iot.policy import EXCLUSIVE, EXCLUSIVE_KEY

CSR_TOPIC = "$aws/certificates/create-from-csr/json"
CSR_OPERATION = "create-from-csr"
Reply = tuple[str, Document]


def install() -> None:
    _add_csr()
    _reply_without_subscription()
    _keep_exclusive_things()
    _check_attachments()


def _add_csr() -> None:
    parse, reply = iot._parse_fleet_provisioning_topic, iot._fleet_provisioning_reply

    def parse_topic(topic: str) -> tuple[str, str | None] | None:
        if topic == CSR_TOPIC:
            return CSR_OPERATION, None
        found: tuple[str, str | None] | None = parse(topic)
        return found

    async def answer(account: str, region: str, operation: str, *request: Any) -> Reply:
        if operation == CSR_OPERATION:
            with iot.request_scope(account, region):
                _template, payload, _connection = request
                return _certificate_from_csr(payload)
        found: Reply = await reply(account, region, operation, *request)
        return found

    iot._parse_fleet_provisioning_topic = parse_topic
    iot._fleet_provisioning_reply = answer


def _certificate_from_csr(payload: bytes) -> Reply:
    try:
        request = json.loads(payload)["certificateSigningRequest"]
    except (ValueError, KeyError, TypeError):
        return _rejected("InvalidPayload", "Message cannot be parsed")
    status, _headers, body = iot._create_certificate_from_csr({"certificateSigningRequest": request}, {})
    if status >= 400:
        return _rejected("InvalidCertificateSigningRequest", "The CSR is not valid.")
    made = json.loads(body)
    record = iot._certificates[made["certificateId"]]
    record["status"] = "PENDING_ACTIVATION"
    iot._certificates[made["certificateId"]] = record
    token = secrets.token_urlsafe(48)
    expires = time.time() + iot._OWNERSHIP_TOKEN_SECONDS
    iot._ownership_tokens[token] = {"certificateId": made["certificateId"], "expiration": expires}
    return "accepted", {
        "certificateOwnershipToken": token,
        "certificateId": made["certificateId"],
        "certificatePem": made["certificatePem"],
    }


def _rejected(code: str, message: str) -> Reply:
    found: Reply = iot._fleet_rejected(code, message)
    return found


def _reply_without_subscription() -> None:
    async def answer(session: Any, topic: str, operation: str, template: str | None, payload: bytes) -> None:
        connection = {"clientId": session._client_id}
        if session._principal != session.account_id:
            connection["claimCertificateId"] = session._principal
        async with iot.publishing_events():
            kind, document = await iot._fleet_provisioning_reply(
                session.account_id, session.region, operation, template, payload, connection
            )
        reply_topic = f"{topic}/{kind}"
        granted = [
            session._sub_granted_qos.get(key, 0)
            for key, topic_filter in session._sub_filters.items()
            if iot._subscription_matches(topic_filter, reply_topic)
        ]
        await session.deliver_to_client(reply_topic, json.dumps(document).encode(), max(granted, default=0))

    iot._WSSession._answer_fleet_provisioning = answer


def _keep_exclusive_things() -> None:
    plan_of, apply = iot._provisioning_plan, iot._apply_provisioning_plan

    def plan(template: Document, parameters: Document, certificate_id: str) -> Document:
        found: Document = plan_of(template, parameters, certificate_id)
        body = iot._provisioning_template_body(template)
        resources = (json.loads(body) if isinstance(body, str) else body).get("Resources") or {}
        found["exclusive"] = any(
            (each.get("Properties") or {}).get("ThingPrincipalType") == EXCLUSIVE
            for each in resources.values()
            if each.get("Type") == "AWS::IoT::Certificate"
        )
        return found

    async def apply_plan(found: Document, certificate: Document, role: str) -> str | None:
        name: str | None = found["thing"][0].get("ThingName") if found["thing"] else None
        if name and (refusal := _conflict(certificate, name, exclusive=found["exclusive"])):
            raise iot._provisioning_failed(refusal)
        applied: str | None = await apply(found, certificate, role)
        if found["exclusive"] and applied:
            certificate[EXCLUSIVE_KEY] = applied
            iot._certificates[certificate["certificateId"]] = certificate
        return applied

    iot._provisioning_plan = plan
    iot._apply_provisioning_plan = apply_plan


def _check_attachments() -> None:
    """AttachThingPrincipal with a thingPrincipalType, and the listings that tell it."""
    handle = iot._handle_thing_principals

    def principals(method: str, path: str, headers: Document, body: bytes, query: Document) -> Any:
        thing = path.removeprefix("/things/").removesuffix("/principals")
        principal = headers.get("x-amzn-principal") or query.get("principal") or ""
        certificate = iot._certificates.get(principal.rpartition("/")[2])
        exclusive = query.get("thingPrincipalType") == EXCLUSIVE
        if (
            method == "PUT"
            and certificate
            and (refusal := _conflict(certificate, thing, exclusive=exclusive))
        ):
            return iot.error_response_json("InvalidRequestException", refusal, 400)
        answer = handle(method, path, headers, body, query)
        if certificate and answer[0] < 400 and method in {"PUT", "DELETE"}:
            certificate.pop(EXCLUSIVE_KEY, None)
            if method == "PUT" and exclusive:
                certificate[EXCLUSIVE_KEY] = thing
            iot._certificates[certificate["certificateId"]] = certificate
        return answer

    iot._handle_thing_principals = principals


def _conflict(certificate: Document, thing: str, *, exclusive: bool) -> str | None:
    """Why this certificate cannot be attached to the thing, if it cannot."""
    others = [arn for arn in certificate.get("attachedThings", []) if arn != iot._thing_arn(thing)]
    owner = certificate.get(EXCLUSIVE_KEY)
    if owner and owner != thing:
        return f"The principal is exclusively attached to thing {owner}."
    if exclusive and others:
        return "The principal is already attached to another thing, so it cannot be exclusive."
    return None
