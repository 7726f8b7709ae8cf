"""The twin's Greengrass core: what a till runs in place of the classic nucleus."""

VERSION = "2.13.0"  # the nucleus release that it stands in for
