"""Rules for accessControl: malformed, it fails the deployment on lite and is skipped on classic."""

from typing import Any, TypeGuard

from release.check_values import text, unknown_keys

POLICY_KEYS = {"policyDescription", "operations", "resources"}
OPERATIONS = {
    "aws.greengrass.ipc.pubsub": {"SubscribeToTopic", "PublishToTopic"},
    "aws.greengrass.ipc.mqttproxy": {"SubscribeToIoTCore", "PublishToIoTCore"},
    "aws.greengrass.ipc.lifecycle": {"PauseComponent", "ResumeComponent"},
    "aws.greengrass.ShadowManager": {
        *("GetThingShadow", "UpdateThingShadow", "DeleteThingShadow", "ListNamedShadowsForThing"),
    },
    "aws.greengrass.SecretManager": {"GetSecretValue"},
    "aws.greengrass.Cli": {"CreateLocalDeployment", "RestartComponent", "StopComponent"},
}


def access_control(where: str, services: Any, component: str) -> list[str]:
    """Each policy has an id that begins with the component's name, known operations and exact resources."""
    if not isinstance(services, dict):
        return [f"{where}: allowed: an object of services."]
    findings = unknown_keys(where, services, OPERATIONS)
    for service, policies in services.items():
        here = f"{where}/{service}"
        if not isinstance(policies, dict) or not policies:
            findings.append(f"{here}: allowed: an object of policies.")
            continue
        for policy_id, policy in policies.items():
            findings += _policy(f"{here}/{policy_id}", policy, OPERATIONS.get(service, set()))
            if not policy_id.startswith(f"{component}:"):
                findings.append(
                    f"{here}: policy id {policy_id!r}; allowed: one that begins with {component}:"
                )
    return findings


def _texts(values: Any) -> TypeGuard[list[str]]:
    return isinstance(values, list) and bool(values) and all(isinstance(one, str) and one for one in values)


def _policy(where: str, policy: Any, operations: set[str]) -> list[str]:
    if not isinstance(policy, dict):
        return [f"{where}: allowed: an object with operations and resources."]
    known = sorted(f"aws.greengrass#{operation}" for operation in operations)
    findings = unknown_keys(where, policy, POLICY_KEYS)
    if "policyDescription" in policy:
        findings += text(f"{where}/policyDescription", policy["policyDescription"])
    for key in ("operations", "resources"):
        values = policy.get(key)
        if not _texts(values):
            findings.append(f"{where}/{key}: {values!r}; allowed: a list of at least one text.")
            continue
        for value in values:
            if key == "operations" and value not in known:
                findings.append(f"{where}/operations: {value!r}; allowed: {', '.join(known)}.")
            if key == "resources" and ("{" in value or value.strip() == "*"):
                findings.append(f"{where}/resources: {value!r}; allowed: exact topics, no variable.")
    return findings
