"""Component versions: made once from a recipe and the artifacts it names, never changed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped]
from ministack.services import s3

from twin.cloud.context import ApiError, Document, not_found, scope
from twin.cloud.greengrass import public, versions
from twin.cloud.settings import Settings

NAME = re.compile(r"[a-zA-Z0-9-_.]{1,128}")
RECIPE_LIMIT = 16_000  # bytes: Greengrass V2 quotas
VERSION_LIMIT = 64
RECIPE_FORMAT = "2020-01-25"


@dataclass(frozen=True)
class ComponentVersion:
    """`recipe` is as the cloud keeps it: with each artifact's digest."""

    arn: str
    name: str
    version: str
    recipe: Document
    created_at: float
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def component_arn(self) -> str:
        return self.arn.split(":versions:")[0]

    def artifact_uri(self, artifact: str) -> str:
        """The URI of the artifact whose file name this is."""
        for uri in artifact_uris(self.recipe):
            if uri.rpartition("/")[2] == artifact or urlsplit(uri).path.lstrip("/") == artifact:
                return uri
        raise not_found(f"{self.name} {self.version} has no artifact {artifact}.")


class Components:
    """The account's components, and those of AWS."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._versions: dict[str, ComponentVersion] = {}
        for recipe in public.recipes():
            arn = self._arn("aws", recipe["ComponentName"], recipe["ComponentVersion"])
            self._add(ComponentVersion(arn, recipe["ComponentName"], recipe["ComponentVersion"], recipe, 0.0))

    def create(self, inline_recipe: bytes, tags: dict[str, str] | None = None) -> ComponentVersion:
        """Keep a recipe with its artifacts' digests. ApiError when it, or an artifact, is not acceptable."""
        recipe = parse_recipe(inline_recipe)
        name, version = recipe["ComponentName"], recipe["ComponentVersion"]
        arn = self._arn(self._settings.account, name, version)
        if arn in self._versions:
            raise ApiError(
                "ConflictException",
                f"Component [{name} : {version}] for account [{self._settings.account}] already exists "
                "with state: [DEPLOYABLE]",
                409,
                resourceId=arn,
                resourceType="componentVersion",
            )
        for artifact in _artifacts(recipe):
            artifact["Digest"] = self._digest(artifact["Uri"])
            artifact["Algorithm"] = "SHA-256"
        made = ComponentVersion(arn, name, version, recipe, time.time(), dict(tags or {}))
        self._add(made)
        return made

    def get(self, arn: str) -> ComponentVersion:
        if arn not in self._versions:
            raise not_found(
                f"Component version {arn} does not exist.", resourceId=arn, resourceType="component"
            )
        return self._versions[arn]

    def named(self, name: str) -> list[ComponentVersion]:
        """Its versions, newest first; a component of the account hides one of AWS with its name."""
        found = [each for each in self._versions.values() if each.name == name]
        own = [each for each in found if not self.is_public(each)]
        return sorted(own or found, key=lambda each: versions.key(each.version), reverse=True)

    def listed(self, *, of_aws: bool) -> list[list[ComponentVersion]]:
        """Every component as the list of its versions, newest first."""
        names = sorted({each.name for each in self._versions.values() if self.is_public(each) == of_aws})
        return [[each for each in self.named(name) if self.is_public(each) == of_aws] for name in names]

    def delete(self, arn: str) -> None:
        if self.is_public(self.get(arn)):
            raise ApiError("AccessDeniedException", f"{arn} is a component of AWS.", 403)
        del self._versions[arn]

    def resolve(self, name: str, requirements: dict[str, str]) -> ComponentVersion:
        """The newest version that every requirement allows."""
        for each in self.named(name):
            if all(versions.satisfies(each.version, wanted) for wanted in requirements.values()):
                return each
        wanted = ", ".join(f"{who} wants {what}" for who, what in requirements.items())
        raise not_found(f"No version of {name} meets the requirements ({wanted}).", resourceId=name)

    def is_public(self, component: ComponentVersion) -> bool:
        return component.arn.split(":")[4] == "aws"

    def _add(self, component: ComponentVersion) -> None:
        self._versions[component.arn] = component

    def _arn(self, account: str, name: str, version: str) -> str:
        return f"arn:aws:greengrass:{self._settings.region}:{account}:components:{name}:versions:{version}"

    def _digest(self, uri: str) -> str:
        location = urlsplit(uri)
        if location.scheme != "s3":
            raise ApiError("ValidationException", f"The artifact {uri} is not in S3.")
        with scope(self._settings):
            data = s3._get_object_data(location.netloc, location.path.lstrip("/"))
        if data is None:
            raise ApiError(
                "ValidationException",
                f"Cannot access S3 artifact {uri}: it does not exist or is not readable.",
            )
        return base64.b64encode(hashlib.sha256(data).digest()).decode()


def parse_recipe(raw: bytes) -> Document:
    """A recipe in JSON (first byte {) or YAML. ApiError naming what is wrong."""
    if len(raw) > RECIPE_LIMIT:
        raise ApiError(
            "ValidationException", f"The recipe is {len(raw)} bytes; at most {RECIPE_LIMIT} are allowed."
        )
    try:
        recipe = json.loads(raw) if raw.lstrip()[:1] == b"{" else yaml.safe_load(raw)
    except (ValueError, yaml.YAMLError) as error:
        raise ApiError("ValidationException", f"The recipe cannot be parsed: {error}") from error
    if not isinstance(recipe, dict):
        raise ApiError("ValidationException", "The recipe is not a map.")
    if str(recipe.get("RecipeFormatVersion")) != RECIPE_FORMAT:
        raise ApiError("ValidationException", f"RecipeFormatVersion must be {RECIPE_FORMAT}.")
    if not NAME.fullmatch(str(recipe.get("ComponentName", ""))):
        raise ApiError(
            "ValidationException", f"ComponentName {recipe.get('ComponentName')!r} is not allowed."
        )
    _check_versions(recipe)
    return recipe


def _check_versions(recipe: Document) -> None:
    version = str(recipe.get("ComponentVersion", ""))
    if len(version) > VERSION_LIMIT:
        raise ApiError("ValidationException", "ComponentVersion is longer than 64 characters.")
    recipe["ComponentVersion"] = version
    try:
        versions.key(version)
        for name, dependency in (recipe.get("ComponentDependencies") or {}).items():
            if not NAME.fullmatch(name):
                raise ApiError("ValidationException", f"The dependency's name {name!r} is not allowed.")
            versions.satisfies("1.0.0", str(dependency.get("VersionRequirement", "*")))
    except versions.VersionError as error:
        raise ApiError("ValidationException", str(error)) from error


def artifact_uris(recipe: Document) -> list[str]:
    return [artifact["Uri"] for artifact in _artifacts(recipe)]


def _artifacts(recipe: Document) -> list[dict[str, Any]]:
    """Every artifact of every manifest. Key case is AWS's: Uri, or URI in old recipes."""
    found: list[dict[str, Any]] = []
    for manifest in recipe.get("Manifests") or []:
        for artifact in manifest.get("Artifacts") or []:
            artifact["Uri"] = artifact.pop("URI", None) or artifact.get("Uri", "")
            found.append(artifact)
    return found
