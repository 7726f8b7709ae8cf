"""The fleet provisioning template: what a certificate that a claim asked for turns into."""

from typing import Any

from infra.names import Names

SERIAL = "SerialNumber"
STAGE_GROUP = "StageGroup"
STORE = "Store"


def template_body(names: Names) -> dict[str, Any]:
    """A device gives its serial and nothing else; group and store come from the hook and its registry.

    The thing's name is this fleet's prefix and the serial, whatever the hook says, so a claim of one fleet
    can't make a thing of another.
    """
    certificate = "AWS::IoT::Certificate::Id"
    return {
        "Parameters": {name: {"Type": "String"} for name in (SERIAL, STAGE_GROUP, STORE, certificate)},
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "OverrideSettings": {
                    "AttributePayload": "MERGE",
                    "ThingTypeName": "REPLACE",
                    "ThingGroups": "REPLACE",
                },
                "Properties": {
                    "ThingName": {"Fn::Join": ["", [names.prefix, {"Ref": SERIAL}]]},
                    "ThingTypeName": names.thing_type,
                    "ThingGroups": [{"Ref": STAGE_GROUP}],
                    "AttributePayload": {"serial": {"Ref": SERIAL}, "store": {"Ref": STORE}},
                },
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {
                    "CertificateId": {"Ref": certificate},
                    "Status": "Active",
                    "ThingPrincipalType": "EXCLUSIVE_THING",
                },
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": names.core_policy}},
        },
    }
