"""Each rule for the two nuclei finds the fault that it is there for, and says where."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from release.build import Built
from release.check import check_built, check_recipe
from release.errors import ReleaseError
from release.recipe import component_digest, render

HEX = "a" * 64
GOOD: dict[str, Any] = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.greentill.Pos",
    "ComponentVersion": "1.0.0",
    "ComponentDescription": "Sells.",
    "ComponentPublisher": "greentill",
    "ComponentConfiguration": {
        "DefaultConfiguration": {
            "port": "8080",
            "accessControl": {
                "aws.greengrass.ipc.pubsub": {
                    "com.greentill.Pos:pubsub:1": {
                        "policyDescription": "Wakes.",
                        "operations": ["aws.greengrass#PublishToTopic"],
                        "resources": ["greentill/ledger/wake"],
                    }
                }
            },
        }
    },
    "ComponentDependencies": {
        "com.greentill.Runtime": {"VersionRequirement": ">=1.0.0 <2.0.0", "DependencyType": "SOFT"}
    },
    "Manifests": [
        {
            "Platform": {"os": "linux", "runtime": "*"},
            "Lifecycle": {
                "install": {"Script": "echo {work:path}", "Timeout": 900},
                "run": {
                    "Script": "python3 {artifacts:decompressedPath}/pos/launcher.py {configuration:/port}"
                },
            },
            "Artifacts": [{"Uri": f"s3://bucket-1/components/Pos/{HEX}/pos.zip", "Unarchive": "ZIP"}],
        }
    ],
}
M = ("Manifests", 0)
RUN = (*M, "Lifecycle", "run", "Script")
DEFAULTS = ("ComponentConfiguration", "DefaultConfiguration")
POLICY = (*DEFAULTS, "accessControl", "aws.greengrass.ipc.pubsub", "com.greentill.Pos:pubsub:1")
RUNTIME = ("ComponentDependencies", "com.greentill.Runtime")
GONE = object()


def planted(path: tuple[str | int, ...], value: Any) -> str:
    recipe = copy.deepcopy(GOOD)
    place: Any = recipe
    for key in path[:-1]:
        place = place[key]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(recipe)


def test_a_recipe_that_keeps_the_rules_has_no_findings() -> None:
    assert check_recipe(json.dumps(GOOD)) == []


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (RUN, "python3 x.py ${HOME}", "run/Script"),
        (RUN, "awk '{print $1}'", "run/Script"),
        (RUN, "echo '{\"a\": 1}'", "run/Script"),
        (RUN, "echo }", "run/Script"),
        (RUN, "python3 {artifacts:unknown}/x.py", "artifacts:unknown"),
        (RUN, "python3 {com.greentill.Runtime:artifacts:path}/x.py", "com.greentill.Runtime:artifacts:path"),
        (RUN, "python3 x.py {configuration:/no/default}", "configuration:/no/default"),
        (RUN, "", "run/Script"),
        ((*M, "Lifecycle", "run", "Setenv"), {"A": "${B}"}, "Setenv/A"),
        ((*M, "Lifecycle", "run", "setenv"), {}, "it is spelt Setenv"),
        ((*M, "Lifecycle", "run", "RequiresPrivilege"), True, "RequiresPrivilege"),
        ((*M, "Lifecycle", "run", "Skipif"), "exists x", "Skipif"),
        ((*M, "Lifecycle", "run", "Timeout"), "900", "run/Timeout"),
        ((*M, "Lifecycle", "Run"), "x", "it is spelt run"),
        ((*M, "Lifecycle", "shutdown"), "x", "shutdown"),
        ((*M, "Lifecycle", "startup"), "x", "startup"),
        ((*M, "Lifecycle", "bootstrap"), "x", "bootstrap"),
        ((*M, "Lifecycle", "install", "Timeout"), GONE, "install/Timeout"),
        ((*M, "Lifecycle", "install"), "echo", "Manifests/0/Lifecycle/install"),
        ((*M, "Lifecycle"), GONE, "Manifests/0/Lifecycle"),
        (("Lifecycle",), {"run": "x"}, "Lifecycle"),
        ((*M, "Platform", "runtime"), GONE, "Platform/runtime"),
        ((*M, "Platform", "runtime"), "aws_nucleus_lite", "Platform/runtime"),
        ((*M, "Platform", "Runtime"), "*", "it is spelt runtime"),
        ((*M, "Platform", "os"), "windows", "Platform/os"),
        ((*M, "Platform", "architecture"), "x86_64", "Platform/architecture"),
        ((*M, "Platform"), GONE, "Manifests/0/Platform"),
        ((*M, "Artifacts", 0, "URI"), "s3://x", "it is spelt Uri"),
        ((*M, "Artifacts", 0, "Uri"), "s3://bucket-1/components/Pos/latest/pos.zip", "Artifacts/0/Uri"),
        ((*M, "Artifacts", 0, "Unarchive"), "TAR", "Unarchive"),
        ((*M, "Artifacts", 0, "Permission"), {"Read": "EVERYONE"}, "Permission/Read"),
        (("Manifests",), [], "Manifests"),
        (("ComponentName",), "com greentill", "ComponentName"),
        (("ComponentName",), "c" * 129, "ComponentName"),
        (("ComponentVersion",), "1.0", "ComponentVersion"),
        (("ComponentVersion",), "1.0.0-" + "a" * 64, "ComponentVersion"),
        (("ComponentDescription",), GONE, "ComponentDescription"),
        (("componentDescription",), "x", "it is spelt ComponentDescription"),
        (("ComponentType",), "aws.greengrass.plugin", "ComponentType"),
        (("RecipeFormatVersion",), "2025-01-01", "RecipeFormatVersion"),
        (("ComponentDescription",), "x" * 16_000, "16000"),
        ((*RUNTIME, "VersionRequirement"), "^1.0.0", "VersionRequirement"),
        ((*RUNTIME, "VersionRequirement"), "~1.0.0", "VersionRequirement"),
        ((*RUNTIME, "VersionRequirement"), ">=1.0.0,<2.0.0", "VersionRequirement"),
        ((*RUNTIME, "DependencyType"), "HARD", "com.greentill.Runtime/DependencyType"),
        ((*RUNTIME, "DependencyType"), "soft", "com.greentill.Runtime/DependencyType"),
        ((*DEFAULTS, "accessControl"), [], "accessControl"),
        ((*DEFAULTS, "accessControl", "aws.greengrass.ipc.pubsub"), {}, "aws.greengrass.ipc.pubsub"),
        ((*DEFAULTS, "accessControl", "aws.greengrass.ipc.Pubsub"), {}, "aws.greengrass.ipc.Pubsub"),
        ((*POLICY[:-1], "other:pubsub:1"), GOOD, "other:pubsub:1"),
        ((*POLICY, "operations"), "aws.greengrass#PublishToTopic", "operations"),
        ((*POLICY, "operations"), ["PublishToTopic"], "operations"),
        ((*POLICY, "operations"), [], "operations"),
        ((*POLICY, "resources"), ["*"], "resources"),
        ((*POLICY, "resources"), ["greentill/{iot:thingName}"], "resources"),
        ((*POLICY, "resource"), ["x"], "resource"),
    ],
)
def test_a_planted_fault_is_found_where_it_is(path: tuple[str | int, ...], value: Any, where: str) -> None:
    findings = check_recipe(planted(path, value))
    assert any(where in finding for finding in findings), findings
    assert all("allowed" in finding or "spelt" in finding for finding in findings)


def test_what_is_no_json_object_is_said_to_be_none() -> None:
    assert check_recipe("RecipeFormatVersion: '2020-01-25'")
    assert check_recipe("[]")


def test_every_component_in_the_tree_keeps_the_rules(shared_dist: dict[str, Built]) -> None:
    for one in shared_dist.values():
        assert check_built(one.recipe_text, one.artifacts, one.digest) == []


def test_recipe_artifacts_and_digest_must_agree(shared_dist: dict[str, Built]) -> None:
    sync = shared_dist["Sync"]
    other = component_digest(sync.recipe_text, {"sync.zip": HEX})
    assert any("digest" in finding for finding in check_built(sync.recipe_text, sync.artifacts, other))
    extra = {**sync.artifacts, "extra.zip": HEX}
    findings = check_built(sync.recipe_text, extra, component_digest(sync.recipe_text, extra))
    assert any("extra.zip" in finding for finding in findings)
    findings = check_built(sync.recipe_text, {}, component_digest(sync.recipe_text, {}))
    assert any("sync.zip" in finding for finding in findings)


def test_rendering_fills_every_open_place_and_refuses_what_stays_open() -> None:
    text = "com.@FLEET@.Sync s3://@BUCKET@/components/Sync/@DIGEST@/sync.zip @SALES_BUCKET@"
    values = {"fleet": "acme", "bucket": "acme-artifacts-1-eu-west-1", "digest": f"sha256:{HEX}"}
    assert render(text, **values) == (
        f"com.acme.Sync s3://acme-artifacts-1-eu-west-1/components/Sync/{HEX}/sync.zip acme-sales-1-eu-west-1"
    )
    with pytest.raises(ReleaseError, match="@OTHER@"):
        render("@OTHER@", **values)
