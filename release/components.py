"""The components in the working tree: every folder of edge_components/ that has a recipe.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.errors import ReleaseError
from release.recipe import FLEET

COMPONENTS = "edge_components"
RUNTIME = "Runtime"
NOT_SHIPPED = frozenset({"recipe.json", "README.md"})


@dataclass(frozen=True)
class Component:
    """A component's sources. `name` is short, such as `Pos`; `recipe` still has its open places."""

    name: str
    version: str
    folder: Path
    recipe: dict[str, Any]


def find(root: Path) -> list[Component]:
    """Components of the clone at `root`, Runtime first, the others by name. Raises ReleaseError."""
    components = [_load(path) for path in sorted((root / COMPONENTS).glob("*/recipe.json"))]
    if not any(component.name == RUNTIME for component in components):
        raise ReleaseError(f"There is no Runtime among the recipes in {COMPONENTS}/*/recipe.json.")
    return sorted(components, key=lambda component: (component.name != RUNTIME, component.name))


def _load(path: Path) -> Component:
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
        name, version = recipe["ComponentName"], recipe["ComponentVersion"]
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise ReleaseError(
            f"{path} is no recipe: JSON with ComponentName and ComponentVersion: {error!r}"
        ) from error
    prefix = f"com.{FLEET}."
    short = str(name).removeprefix(prefix)
    if short == name or short.lower() != path.parent.name:
        wanted = f"{prefix}{path.parent.name.capitalize()}"
        raise ReleaseError(f"{path}: ComponentName is {name!r}, and its folder asks for {wanted!r}.")
    return Component(name=short, version=str(version), folder=path.parent, recipe=recipe)


def code(root: Path, component: Component) -> dict[str, Path]:
    """What a component's archive holds: its package, edgekit beside it, and the launcher at the root."""
    base = root / COMPONENTS
    members = {"launcher.py": base / "launcher.py", f"{COMPONENTS}/__init__.py": base / "__init__.py"}
    for folder in (base / "edgekit", component.folder):
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and _ships(relative):
                members[f"{COMPONENTS}/{folder.name}/{relative.as_posix()}"] = path
    return members


def _ships(relative: Path) -> bool:
    if str(relative) in NOT_SHIPPED or relative.suffix in (".pyc", ".orig", ".rej"):
        return False
    return not any(
        part.startswith(".") or part == "__pycache__" or part.endswith("~") for part in relative.parts
    )
