"""The rules that let one recipe run on the classic nucleus and on nucleus lite.

Each finding says where it is and what is allowed there. Sources: the component recipe reference of the
Greengrass developer guide, the recipe notes of the nucleus lite repository, and what lite was seen to do.
"""

import json
from collections.abc import Mapping
from typing import Any

from release.check_access import access_control
from release.check_lifecycle import lifecycle
from release.check_values import (
    COMPONENT_NAME,
    SEMVER,
    URI,
    VERSION_RANGE,
    choice,
    matching,
    scalar_pointers,
    text,
    unknown_keys,
)
from release.recipe import component_digest, render

LARGEST_RECIPE = 16_000  # bytes
KEYS = {
    *("RecipeFormatVersion", "ComponentName", "ComponentVersion", "ComponentDescription"),
    *("ComponentPublisher", "ComponentType", "ComponentConfiguration", "ComponentDependencies", "Manifests"),
}
MANIFEST_KEYS = {"Name", "Platform", "Lifecycle", "Artifacts"}
PLATFORM_KEYS = {"os", "architecture", "runtime"}
ARTIFACT_KEYS = {"Uri", "Unarchive", "Permission"}
ARCHITECTURES = ("aarch64", "amd64", "arm")
INSTALL_ONLY = ".Runtime"  # lite binds a HARD dependent to a service that an install-only component lacks


def check_recipe(rendered: str) -> list[str]:
    """What is wrong with a recipe whose open places are filled; empty when nothing is."""
    size = len(rendered.encode())
    findings = [] if size <= LARGEST_RECIPE else [f"recipe: it has {size} bytes; allowed: {LARGEST_RECIPE}."]
    try:
        recipe = json.loads(rendered)
    except json.JSONDecodeError as error:
        return [*findings, f"recipe: it isn't JSON ({error}); allowed: one JSON object."]
    if not isinstance(recipe, dict) or not rendered.startswith("{"):
        return [*findings, "recipe: allowed: one JSON object that begins with its brace."]
    configuration = recipe.get("ComponentConfiguration", {})
    defaults = configuration.get("DefaultConfiguration", {}) if isinstance(configuration, dict) else {}
    return [
        *findings,
        *unknown_keys("recipe", recipe, KEYS),
        *_header(recipe),
        *_configuration(configuration, str(recipe.get("ComponentName", ""))),
        *_dependencies(recipe.get("ComponentDependencies", {})),
        *_manifests(recipe.get("Manifests"), scalar_pointers(defaults)),
    ]


def check_built(recipe_text: str, artifacts: Mapping[str, str], digest: str) -> list[str]:
    """`check_recipe` for a built recipe, and that it, its artifacts (file: SHA-256) and digest agree."""
    bucket = "greentill-artifacts-000000000000-eu-west-1"
    findings = check_recipe(render(recipe_text, fleet="greentill", bucket=bucket, digest=digest))
    if component_digest(recipe_text, artifacts) != digest:
        findings.append(f"manifest: {digest} isn't the digest of this recipe and these artifacts.")
    recipe = json.loads(recipe_text)
    short = str(recipe.get("ComponentName", "")).rpartition(".")[2]
    wanted = {f"s3://@BUCKET@/components/{short}/@DIGEST@/{file}" for file in artifacts}
    manifests = [one for one in recipe.get("Manifests") or [] if isinstance(one, dict)]
    named = {artifact.get("Uri") for one in manifests for artifact in one.get("Artifacts") or []}
    findings += [
        f"Manifests: Uri {uri} names no artifact; allowed: {sorted(wanted)}." for uri in named - wanted
    ]
    findings += [f"Manifests: nothing uses the artifact {uri}." for uri in sorted(wanted - named)]
    return findings


def _header(recipe: dict[str, Any]) -> list[str]:
    return [
        *choice("RecipeFormatVersion", recipe.get("RecipeFormatVersion"), ("2020-01-25",)),
        *matching("ComponentName", recipe.get("ComponentName"), COMPONENT_NAME, most=128),
        *matching("ComponentVersion", recipe.get("ComponentVersion"), SEMVER, most=64),
        *text("ComponentDescription", recipe.get("ComponentDescription")),
        *choice("ComponentType", recipe.get("ComponentType"), ("aws.greengrass.generic", None)),
    ]


def _configuration(configuration: Any, component: str) -> list[str]:
    where = "ComponentConfiguration"
    if not isinstance(configuration, dict):
        return [f"{where}: allowed: an object with DefaultConfiguration."]
    defaults = configuration.get("DefaultConfiguration", {})
    if not isinstance(defaults, dict):
        return [f"{where}/DefaultConfiguration: allowed: an object."]
    return [
        *unknown_keys(where, configuration, {"DefaultConfiguration"}),
        *access_control(
            f"{where}/DefaultConfiguration/accessControl", defaults.get("accessControl", {}), component
        ),
    ]


def _dependencies(dependencies: Any) -> list[str]:
    if not isinstance(dependencies, dict):
        return ["ComponentDependencies: allowed: an object of component names."]
    findings = []
    for name, entry in dependencies.items():
        where = f"ComponentDependencies/{name}"
        if not isinstance(entry, dict):
            findings.append(f"{where}: allowed: an object with VersionRequirement and DependencyType.")
            continue
        kinds = ("SOFT",) if name.endswith(INSTALL_ONLY) else ("HARD", "SOFT")
        findings += unknown_keys(where, entry, {"VersionRequirement", "DependencyType"})
        findings += matching(f"{where}/VersionRequirement", entry.get("VersionRequirement"), VERSION_RANGE)
        findings += choice(f"{where}/DependencyType", entry.get("DependencyType"), kinds)
    return findings


def _manifests(manifests: Any, pointers: frozenset[str]) -> list[str]:
    if not isinstance(manifests, list) or not manifests:
        return ["Manifests: allowed: a list with at least one manifest."]
    findings = []
    for index, manifest in enumerate(manifests):
        where = f"Manifests/{index}"
        if not isinstance(manifest, dict):
            findings.append(f"{where}: allowed: an object.")
            continue
        findings += unknown_keys(where, manifest, MANIFEST_KEYS)
        findings += _platform(f"{where}/Platform", manifest.get("Platform"))
        findings += lifecycle(f"{where}/Lifecycle", manifest.get("Lifecycle"), pointers)
        findings += _artifacts(f"{where}/Artifacts", manifest.get("Artifacts", []))
    return findings


def _platform(where: str, platform: Any) -> list[str]:
    if not isinstance(platform, dict):
        return [f'{where}: allowed: an object with "runtime": "*".']
    return [
        *unknown_keys(where, platform, PLATFORM_KEYS),
        *choice(f"{where}/runtime", platform.get("runtime"), ("*",)),
        *choice(f"{where}/os", platform.get("os"), ("linux",)),
        *choice(f"{where}/architecture", platform.get("architecture"), (*ARCHITECTURES, None)),
    ]


def _artifacts(where: str, artifacts: Any) -> list[str]:
    if not isinstance(artifacts, list):
        return [f"{where}: allowed: a list of objects."]
    findings = []
    for index, artifact in enumerate(artifacts):
        here = f"{where}/{index}"
        if not isinstance(artifact, dict):
            findings.append(f"{here}: allowed: an object with Uri.")
            continue
        findings += unknown_keys(here, artifact, ARTIFACT_KEYS)
        findings += matching(f"{here}/Uri", artifact.get("Uri"), URI)
        findings += choice(f"{here}/Unarchive", artifact.get("Unarchive"), ("ZIP", "NONE", None))
        permission = artifact.get("Permission", {})
        if not isinstance(permission, dict):
            findings.append(f"{here}/Permission: allowed: an object with Read and Execute.")
            continue
        findings += unknown_keys(f"{here}/Permission", permission, {"Read", "Execute"})
        for right, value in permission.items():
            findings += choice(f"{here}/Permission/{right}", value, ("NONE", "OWNER", "ALL"))
    return findings
