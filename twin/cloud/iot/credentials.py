"""The credentials endpoint: a certificate and a thing name in, the role alias's temporary session out."""

from __future__ import annotations

import datetime
import json
import secrets
import time

from ministack.core import iam_evaluator
from ministack.services import iam, iot, sts

from twin.cloud.context import ApiError, Document, scope
from twin.cloud.iam import IOT_SESSION
from twin.cloud.iot.policy import Certificates
from twin.cloud.iot.role_alias import RoleAliases
from twin.cloud.settings import Settings

ACTION = "iot:AssumeRoleWithCertificate"
SERVICE = "credentials.iot.amazonaws.com"


class CredentialsEndpoint:
    def __init__(self, settings: Settings, role_aliases: RoleAliases, certificates: Certificates) -> None:
        self._settings = settings
        self._role_aliases = role_aliases
        self._certificates = certificates

    def issue(self, certificate_id: str, alias: str, thing: str | None) -> Document:
        """The answer's document. ApiError 403 when certificate, thing, policy or role do not allow it."""
        if thing and not self._certificates.attached(certificate_id, thing):
            raise _denied(f"the certificate is not attached to {thing}")
        variables = {"iot:connection.thing.thingname": thing} if thing else {}
        if not self._certificates.allows(certificate_id, ACTION, self._role_aliases.arn(alias), variables):
            raise _denied(f"no policy of the certificate allows {ACTION} on {alias}")
        record = self._role_aliases.describe(alias)
        role = self._assumable(record["roleArn"])
        return self._session(certificate_id, thing, role, int(record["credentialDurationSeconds"]))

    def _assumable(self, arn: str) -> Document:
        with scope(self._settings):
            role: Document | None = iam._roles.get(arn.rpartition("/")[2])
        if role is None:
            raise _denied(f"the role {arn} does not exist")
        document = json.loads(role.get("AssumeRolePolicyDocument") or "{}")
        statements = document.get("Statement", [])
        for statement in statements if isinstance(statements, list) else [statements]:
            actions = statement.get("Action", [])
            if (
                statement.get("Effect") == "Allow"
                and "sts:AssumeRole" in (actions if isinstance(actions, list) else [actions])
                and iam_evaluator._service_principal_matches(statement.get("Principal"), SERVICE)
            ):
                return role
        raise _denied(f"the role {arn} does not trust {SERVICE}")

    def _session(self, certificate_id: str, thing: str | None, role: Document, seconds: int) -> Document:
        key = f"ASIA{secrets.token_hex(8).upper()}"
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(120)
        expires = int(time.time()) + seconds
        name = role["RoleName"]
        with scope(self._settings):
            thing_type = (iot._things.get(thing) or {}).get("thingTypeName") if thing else None
            sts.register_session(
                key,
                {
                    "Arn": f"arn:aws:sts::{self._settings.account}:assumed-role/{name}/{certificate_id}",
                    "UserId": f"{role.get('RoleId', name)}:{certificate_id}",
                    "AccountId": self._settings.account,
                    "SecretAccessKey": secret,
                    "SessionToken": token,
                    "Expiration": expires,
                    IOT_SESSION: _variables(certificate_id, thing, thing_type),
                },
            )
        expiration = datetime.datetime.fromtimestamp(expires, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "credentials": {
                "accessKeyId": key,
                "secretAccessKey": secret,
                "sessionToken": token,
                "expiration": expiration,
            }
        }


def _variables(certificate_id: str, thing: str | None, thing_type: str | None) -> Document:
    found = {"credentials-iot:awscertificateid": certificate_id}
    if thing:
        found["credentials-iot:thingname"] = thing
    if thing_type:
        found["credentials-iot:thingtypename"] = thing_type
    return found


def _denied(reason: str) -> ApiError:
    return ApiError("AccessDeniedException", f"Access Denied: {reason}", 403)
