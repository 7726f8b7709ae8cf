"""A fleet on paper: the files of a clone from which it is synthesized, as small as they can be."""

import hashlib
import json
from pathlib import Path

from release.recipe import component_digest

FLEET_TOML = """
[fleet]
name = "greentill"
region = "eu-west-1"

[stores.ST-367]
name = "Main Street"
time_zone = "America/New_York"
currency = "USD"
day_starts = "04:00"
prices_include_tax = true

[stages.dev]
nucleus = "classic"

[stages.dev.configuration.Pos]
quiet_seconds = "5"

[stages.prod]
nucleus = "lite"
"""


def write_component(dist: Path, component: str, version: str, content: bytes = b"code") -> str:
    """A built component in `dist`, as small as it can be; returns its digest."""
    folder = dist / component / version
    folder.mkdir(parents=True)
    file = f"{component.lower()}.zip"
    (folder / file).write_bytes(content)
    artifacts = {file: hashlib.sha256(content).hexdigest()}
    recipe = json.dumps(
        {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": f"com.@FLEET@.{component}",
            "ComponentVersion": version,
            "Manifests": [{"Artifacts": [{"Uri": f"s3://@BUCKET@/components/{component}/@DIGEST@/{file}"}]}],
        }
    )
    digest = component_digest(recipe, artifacts)
    (folder / "recipe.json").write_text(recipe)
    manifest = {
        "component": component,
        "version": version,
        "digest": digest,
        "artifacts": [{"file": file, "sha256": artifacts[file]}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return digest


def write_release(root: Path, stage: str, **components: tuple[str, str]) -> None:
    pinned = {name: {"version": version, "digest": digest} for name, (version, digest) in components.items()}
    (root / "releases").mkdir(exist_ok=True)
    (root / "releases" / f"{stage}.json").write_text(json.dumps({"components": pinned}))
