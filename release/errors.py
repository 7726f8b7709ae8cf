"""What stops a release, in one sentence that says what to do."""


class ReleaseError(Exception):
    """A component can't be built, checked, published or promoted as it is."""
