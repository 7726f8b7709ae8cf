"""Recipes: what a component needs and does, from the JSON that the cloud sends."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import DeploymentError

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "aarch64", "armv7l": "arm", "i686": "x86"}
INSTALL_TIMEOUT = 120.0  # seconds; the nucleus's default for every step but run


def this_platform() -> dict[str, str]:
    """What recipes select by, under Greengrass's names."""
    machine = platform.machine()
    return {
        "os": "linux",
        "architecture": _ARCHITECTURES.get(machine, machine),
        "architecture.detail": machine,
        "runtime": "aws_nucleus_classic",
    }


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the component and what the core does with it."""

    uri: str
    digest: str = ""  # base64 of SHA-256, put there by the cloud
    unarchive: bool = False
    read: str = "OWNER"
    execute: str = "NONE"

    @property
    def name(self) -> str:
        return self.uri.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Step:
    """One lifecycle step; `timeout` in seconds, None for no limit."""

    script: str
    privileged: bool = False
    timeout: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another component, with the versions that will do."""

    requirement: str
    hard: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """A component version as it applies on this platform."""

    name: str
    version: str
    defaults: Mapping[str, Any]
    dependencies: Mapping[str, Dependency]
    artifacts: tuple[Artifact, ...]
    steps: Mapping[str, Step]

    def hard_dependencies(self) -> list[str]:
        return [name for name, dependency in self.dependencies.items() if dependency.hard]


def parse(text: str | bytes, on: Mapping[str, str] | None = None) -> Recipe:
    """The recipe for platform `on` (this one by default); raises DeploymentError."""
    try:
        document = json.loads(text)
        name, version = document["ComponentName"], document["ComponentVersion"]
        manifest = _manifest(document, on or this_platform())
        lifecycle = manifest.get("Lifecycle") or document.get("Lifecycle") or {}
        return Recipe(
            name=name,
            version=version,
            defaults=(document.get("ComponentConfiguration") or {}).get("DefaultConfiguration") or {},
            dependencies={
                other: Dependency(
                    value.get("VersionRequirement", "*"),
                    value.get("DependencyType", "HARD").upper() == "HARD",
                )
                for other, value in (document.get("ComponentDependencies") or {}).items()
            },
            artifacts=tuple(_artifact(entry) for entry in manifest.get("Artifacts") or ()),
            steps=_steps(lifecycle),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeploymentError(f"a recipe can't be understood: {type(error).__name__} {error}") from error


def _manifest(document: Mapping[str, Any], on: Mapping[str, str]) -> Mapping[str, Any]:
    manifests: list[Mapping[str, Any]] = document.get("Manifests") or [{}]
    for manifest in manifests:
        wanted = manifest.get("Platform") or {}
        if all(_selects(str(value), on.get(key)) for key, value in wanted.items()):
            return manifest
    raise DeploymentError(f"{document['ComponentName']} has no manifest for this platform, {dict(on)}")


def _selects(wanted: str, have: str | None) -> bool:
    if wanted in ("*", have):
        return True
    return wanted == "all" and have is not None


def _artifact(entry: Mapping[str, Any]) -> Artifact:
    permission = entry.get("Permission") or {}
    algorithm = entry.get("Algorithm", "SHA-256")
    if algorithm != "SHA-256":
        raise DeploymentError(f"{entry['Uri']} has a digest by {algorithm}; only SHA-256 is known")
    return Artifact(
        uri=entry["Uri"],
        digest=entry.get("Digest") or "",
        unarchive=entry.get("Unarchive", "NONE").upper() == "ZIP",
        read=permission.get("Read", "OWNER").upper(),
        execute=permission.get("Execute", "NONE").upper(),
    )


def _steps(lifecycle: Mapping[str, Any]) -> dict[str, Step]:
    shared = _environment(lifecycle.get("Setenv"))
    steps = {}
    for key, value in lifecycle.items():
        name = key.lower()
        if name not in ("install", "startup", "run", "shutdown"):
            continue
        default = None if name == "run" else INSTALL_TIMEOUT
        if isinstance(value, str):
            steps[name] = Step(value, timeout=default, environment=shared)
            continue
        limit = value.get("Timeout")
        steps[name] = Step(
            script=value["Script"],
            privileged=str(value.get("RequiresPrivilege", False)).lower() == "true",
            timeout=default if limit is None else float(limit),
            environment={**shared, **_environment(value.get("Setenv"))},
        )
    return steps


def _environment(value: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(text) for name, text in (value or {}).items()}
