"""AWS IoT policies: a core may act only as itself, a claim may do nothing but provision."""

from typing import Any

from infra.names import Names

# Resolved by AWS IoT from the certificate of the connection, because it belongs to one thing exclusively.
THING = "${iot:Connection.Thing.ThingName}"

Document = dict[str, Any]


def core_policy(names: Names) -> Document:
    """What a provisioned till may do.

    After 50 subscriptions the nucleus opens a second connection whose client id is the name, # and a number.
    AWS's own sample writes the name and *, which would let till-1 act as till-10.
    """
    own = (f"$aws/things/{THING}/jobs/*", f"$aws/things/{THING}/shadow/*")
    health = (
        f"$aws/things/{THING}/greengrass/health/json",
        f"$aws/things/{THING}/greengrassv2/health/json",
    )
    return _document(
        _allow(["iot:Connect"], [names.arn("iot", f"client/{THING}"), names.arn("iot", f"client/{THING}#*")]),
        _allow(["iot:Publish", "iot:Receive"], [names.arn("iot", f"topic/{one}") for one in (*health, *own)]),
        _allow(["iot:Subscribe"], [names.arn("iot", f"topicfilter/{one}") for one in own]),
        _allow(["iot:AssumeRoleWithCertificate"], [names.arn("iot", f"rolealias/{names.role_alias}")]),
        # Calls to the Greengrass data plane are bound to the certificate's own thing by the service; thing
        # policy variables do not resolve there.
        _allow(
            [
                "greengrass:GetComponentVersionArtifact",
                "greengrass:GetDeploymentConfiguration",
                "greengrass:ListThingGroupsForCoreDevice",
                "greengrass:ResolveComponentCandidates",
            ],
            ["*"],
        ),
    )


def claim_policy(names: Names) -> Document:
    """What a kit's claim may do: ask for a certificate and for provisioning, under any name but a till's."""
    topics = (
        "$aws/certificates/create/*",
        "$aws/certificates/create-from-csr/*",
        f"$aws/provisioning-templates/{names.provisioning_template}/provision/*",
    )
    return _document(
        _allow(["iot:Connect"], [names.arn("iot", "client/*")]),
        {
            "Effect": "Deny",
            "Action": ["iot:Connect"],
            "Resource": [names.arn("iot", f"client/{names.prefix}*")],
        },
        _allow(["iot:Publish", "iot:Receive"], [names.arn("iot", f"topic/{one}") for one in topics]),
        _allow(["iot:Subscribe"], [names.arn("iot", f"topicfilter/{one}") for one in topics]),
    )


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resources: list[str]) -> Document:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
