"""What dist/ offers against what the releases name: synth stops here when they don't fit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.errors import SettingsError
from infra.settings import Release
from release.build import Built, read_dist
from release.errors import ReleaseError

BUILD = "run: greentill release build"


def builds(dist: Path, releases: Mapping[str, Release]) -> Sequence[Built]:
    """Everything built in `dist`. SettingsError when a release names what isn't there as it is named."""
    try:
        built = read_dist(dist)
    except ReleaseError as error:
        raise SettingsError("dist", str(error), f"components as they were built; {BUILD}") from error
    digests = {(one.component, one.version): one.digest for one in built}
    for stage, release in releases.items():
        for component, pinned in release.components.items():
            key = f"releases/{stage}.json: components.{component}"
            digest = digests.get((component, pinned.version))
            if digest is None:
                raise SettingsError(key, pinned.version, f"a version that dist/{component} holds; {BUILD}")
            if digest != pinned.digest:
                raise SettingsError(
                    f"{key}.digest",
                    pinned.digest,
                    f"{digest}, the digest of {component} {pinned.version} in dist/; {BUILD}, "
                    "or promote what was built with: greentill release promote",
                )
    return built
