"""The twin's Greengrass core: `build` makes the nucleus flavour that a till's bootstrap installs."""

from twin.core.flavour import BuildError, build

__all__ = ["BuildError", "build"]
