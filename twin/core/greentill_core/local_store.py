"""Component versions that came from this machine, beside those of the cloud."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .data_plane import Resolved
from .resolution import Resolver
from .variables import Folders

ARN = "local"  # instead of a component version's ARN
TARGET = "thing/local"  # what local deployments are for, as groups are what the cloud's are for


class LocalFirst:
    """Component versions that were deployed here, else the cloud's."""

    def __init__(self, folders: Folders, cloud: Resolver) -> None:
        self._folders = folders
        self._cloud = cloud

    def resolve(self, name: str, requirements: Mapping[str, str], platform: Mapping[str, str]) -> Resolved:
        exact = {text.lstrip("=") for text in requirements.values() if text.startswith("=")}
        if len(exact) == 1:
            (version,) = exact
            recipe = self._folders.recipe(name, version)
            if marker(recipe).exists():
                return Resolved(ARN, name, version, recipe.read_bytes())
        return self._cloud.resolve(name, requirements, platform)


def marker(recipe: Path) -> Path:
    """Beside a recipe that came from this machine."""
    return recipe.with_suffix(".local")
