"""From deployment documents to recipes: every group's components, and what they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .data_plane import Resolved
from .errors import DeploymentError
from .recipes import Dependency, Recipe, parse, this_platform

# Part of the nucleus itself, so they have no recipe to fetch.
BUILT_IN = ("aws.greengrass.Nucleus", "aws.greengrass.TokenExchangeService")


class Resolver(Protocol):
    """The cloud's part in it."""

    def resolve(
        self, name: str, requirements: Mapping[str, str], platform: Mapping[str, str]
    ) -> Resolved: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """A component version, where its artifacts are, and its recipe as it came."""

    recipe: Recipe
    arn: str
    text: bytes


def target(document: Mapping[str, Any]) -> str:
    """`thinggroup/<name>` or `thing/<name>`, from the document's configurationArn."""
    arn = str(document.get("configurationArn", ""))
    found = arn.partition(":configuration:")[2].rpartition(":")[0]
    if not found:
        raise DeploymentError(f"the deployment's configurationArn is not one: {arn or 'none'}")
    return found


def still_apply(targets: Mapping[str, dict[str, Any]], groups: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Without the groups that the till has left."""
    kept = {f"thinggroup/{group}" for group in groups}
    return {
        name: document
        for name, document in targets.items()
        if not name.startswith("thinggroup/") or name in kept
    }


def roots(targets: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Root components, with the configuration ARNs that ask for them."""
    found: dict[str, list[str]] = {}
    for document in targets.values():
        for name in document.get("components") or {}:
            found.setdefault(name, []).append(document["configurationArn"])
    return found


def resolve(targets: Mapping[str, Mapping[str, Any]], cloud: Resolver) -> dict[str, Chosen]:
    """Choose a version of everything; asks again where a later component narrows an earlier choice."""
    requirements: dict[str, dict[str, str]] = {}
    for name, document in targets.items():
        for component, wanted in (document.get("components") or {}).items():
            requirements.setdefault(component, {})[name] = f"={wanted['version']}"
    chosen: dict[str, Chosen] = {}
    waiting = list(requirements)
    platform = this_platform()
    while waiting:
        component = waiting.pop(0)
        found = _choose(component, requirements[component], cloud, platform)
        chosen[component] = found
        for other, dependency in found.recipe.dependencies.items():
            known = requirements.setdefault(other, {})
            if known.get(component) != dependency.requirement or other not in chosen:
                known[component] = dependency.requirement
                if other not in waiting:
                    waiting.append(other)
    _refuse_cycles({name: found.recipe.dependencies for name, found in chosen.items()})
    return chosen


def built_in(name: str, version: str) -> Recipe:
    """A component that is there by itself."""
    return Recipe(name, version, {}, {}, (), {})


def _choose(
    name: str, requirements: Mapping[str, str], cloud: Resolver, platform: Mapping[str, str]
) -> Chosen:
    if name in BUILT_IN:
        exact = [text.lstrip("=") for text in requirements.values() if text[:2].strip("=").isdigit()]
        return Chosen(built_in(name, exact[0] if exact else "0.0.0"), "", b"")
    resolved = cloud.resolve(name, requirements, platform)
    recipe = parse(resolved.recipe, platform)
    if (recipe.name, recipe.version) != (name, resolved.version):
        raise DeploymentError(
            f"the cloud resolved {name} {resolved.version} to a recipe of {recipe.name} {recipe.version}"
        )
    return Chosen(recipe, resolved.arn, resolved.recipe)


def _refuse_cycles(dependencies: Mapping[str, Mapping[str, Dependency]]) -> None:
    left = {name: set(needs) for name, needs in dependencies.items()}
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        if not free:
            raise DeploymentError(f"components depend on each other in a circle: {', '.join(sorted(left))}")
        for name in free:
            del left[name]
