"""What can go wrong with tills, each in one sentence that says what to do."""


class ProvisioningError(Exception):
    """Shown to the user as it is."""


class ChangedError(ProvisioningError):
    """Somebody else has changed the till's row since it was read."""


class SerialTakenError(ProvisioningError):
    """The serial is registered already."""


class NotDeployedError(ProvisioningError):
    """Something that a deploy makes isn't in this account and Region."""
