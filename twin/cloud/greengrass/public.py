"""The components of AWS that this project's deployments name; what they do is the core's own."""

from __future__ import annotations

from twin.cloud.context import Document

NUCLEUS_VERSIONS = ("2.13.0", "2.15.0", "2.16.1", "2.17.0", "2.18.2")
NUCLEUS_RANGE = ">=2.0.0 <2.19.0"
VERSIONS = {
    "aws.greengrass.Nucleus": NUCLEUS_VERSIONS,
    "aws.greengrass.NucleusLite": ("2.5.0", "2.6.0"),
    "aws.greengrass.Cli": NUCLEUS_VERSIONS,
    "aws.greengrass.TokenExchangeService": ("2.0.3",),
}
TYPES = {
    "aws.greengrass.Nucleus": "aws.greengrass.nucleus",
    "aws.greengrass.NucleusLite": "aws.greengrass.nucleus",
}


def recipes() -> list[Document]:
    """One recipe per component and version, as a core needs them to resolve a deployment."""
    return [_recipe(name, version) for name, versions in VERSIONS.items() for version in versions]


def _recipe(name: str, version: str) -> Document:
    recipe: Document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentType": TYPES.get(name, "aws.greengrass.plugin"),
        "ComponentPublisher": "AWS",
        "ComponentDescription": f"{name}, as the twin's cloud offers it.",
        "Manifests": [{"Platform": {"os": "*", "runtime": "*"}}],
    }
    if name == "aws.greengrass.Cli":
        recipe["ComponentDependencies"] = {
            "aws.greengrass.Nucleus": {"VersionRequirement": NUCLEUS_RANGE, "DependencyType": "SOFT"}
        }
    return recipe
