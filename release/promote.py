"""Write which versions and digests a stage runs, in releases/<stage>.json; the change belongs in a commit."""

import json
from pathlib import Path

from release.build import Built
from release.errors import ReleaseError


def promote(root: Path, stage: str, built: list[Built]) -> dict[str, dict[str, str]]:
    """Name `built` as what `stage` runs; returns the components as written. Raises ReleaseError."""
    path = root / "releases" / f"{stage}.json"
    if not path.exists():
        stages = ", ".join(sorted(one.stem for one in path.parent.glob("*.json")))
        raise ReleaseError(f"There is no stage {stage!r}: releases/ has {stages}.")
    components = {one.component: {"version": one.version, "digest": one.digest} for one in built}
    _refuse_a_changed_version(root, components)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"components": components}, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return components


def _refuse_a_changed_version(root: Path, components: dict[str, dict[str, str]]) -> None:
    """A version that another stage runs can't be promoted with other bytes: versions never change."""
    for path in sorted((root / "releases").glob("*.json")):
        pinned = json.loads(path.read_text(encoding="utf-8")).get("components", {})
        for name, entry in components.items():
            there = pinned.get(name, {})
            if there.get("version") == entry["version"] and there.get("digest") != entry["digest"]:
                if path.stem == "dev":
                    continue
                raise ReleaseError(
                    f"{name} {entry['version']} runs in {path.stem} with another digest: "
                    "raise ComponentVersion in its recipe."
                )
